"""Which files of a folder of models are neither safetensors nor text: told by their content, not by their names."""

from __future__ import annotations

import codecs
import pickle
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

UNSAFE_SUFFIXES = frozenset(
    ".bin .pt .pth .pkl .pickle .ckpt .joblib .dill .npy .npz .msgpack .h5 "
    ".py .pyc .pyd .so .dll .dylib .exe .sh .bat .cmd .ps1 .jar".split()
)
"""Endings, in any case, of pickles, of containers of pickles, and of programs: refused whatever is in them."""
_AT_ONCE = 1 << 20
_PIECES = 0x0A
"""First byte of a SentencePiece model: field 1, a message with a length."""


def unsafe_files(folder: Path) -> list[str]:
    """Return the files that do not belong into a folder of models, by their names within it.

    Weights are safetensors. A tokenizer may be a SentencePiece model (``*.model``), which is plain data. Everything
    else is text: UTF-8 without NUL that is no pickle (the oldest kind of which is text) and no script. Links to
    folders, broken links and whatever is no ordinary file are refused too.
    """
    return sorted(file.relative_to(folder).as_posix() for file in _files(folder) if not _is_safe(file))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def _is_safe(file: Path) -> bool:
    if not file.is_file() or file.suffix.lower() in UNSAFE_SUFFIXES:
        return False
    if _is_text(file):
        return not _is_script_or_pickle(file)
    return _is_safetensors(file) or (file.suffix.lower() == ".model" and _is_sentencepiece(file.read_bytes()))


def _is_text(file: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as stream:
        try:
            while block := stream.read(_AT_ONCE):
                if "\0" in decoder.decode(block):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _is_safetensors(file: Path) -> bool:
    try:
        with safe_open(file, framework="numpy"):
            return True
    except (SafetensorError, OSError):
        return False


def _is_script_or_pickle(file: Path) -> bool:
    with file.open("rb") as stream:
        if stream.read(2) == b"#!":
            return True
        stream.seek(0)
        try:
            _Probe(stream, encoding="latin1").load()
        except _CodeAskedFor:
            return True
        except Exception:  # text that is no pickle fails in as many ways as there are texts
            return False
    return True


class _CodeAskedFor(BaseException):
    """A pickle wants to call something."""


class _Inert:
    """Stands for whatever a pickle asks for; any use of it shows."""

    def __new__(cls, *_: object) -> _Inert:
        raise _CodeAskedFor

    def __call__(self, *_: object) -> None:
        raise _CodeAskedFor

    def __getattr__(self, name: str) -> _Inert:
        return self

    __setitem__ = __call__


class _Probe(pickle._Unpickler):
    """Reads a text as a pickle without importing or calling anything.

    The reader in Python, because the one in C takes as much memory as a crafted pickle tells it to.
    """

    def find_class(self, module_name: str, global_name: str) -> object:
        """Return what does nothing."""
        return object.__new__(_Inert)

    def persistent_load(self, pid: object) -> object:
        """Return what does nothing."""
        return object.__new__(_Inert)


def _is_sentencepiece(content: bytes) -> bool:
    """Return whether content is one protocol buffer from end to end that begins as a SentencePiece model does."""
    if not content or content[0] != _PIECES:
        return False
    position = 0
    try:
        while position < len(content):
            position = _after_field(content, position)
    except (IndexError, ValueError):
        return False
    return position == len(content)


def _after_field(content: bytes, position: int) -> int:
    """Return where the field ends that begins at a position."""
    tag, position = _number(content, position)
    kind = tag & 7
    if kind == 0:
        return _number(content, position)[1]
    if kind == 2:
        length, position = _number(content, position)
        return position + length
    if kind in (1, 5):
        return position + (8 if kind == 1 else 4)
    raise ValueError(f"no kind of field: {kind}")


def _number(content: bytes, position: int) -> tuple[int, int]:
    """Return a number of seven bits per byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("a number of more than ten bytes")
