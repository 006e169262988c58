"""A short name for content: equal content, equal fingerprint, on every machine and in every process."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import torch

LENGTH = 16
"""Hexadecimal digits of a fingerprint (64 bits)."""


_SETTLED = 2_000_000_000
"""Nanoseconds after which a file's times tell every further change."""
_digests: dict[Path, tuple[tuple[int, ...], bytes]] = {}


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def fingerprint(*parts: object) -> str:
    """Return 16 hexadecimal digits that name the content of ``parts``.

    Args:
        parts: Strings, bytes, numbers, booleans, None, sequences, mappings, tables, tensors, or paths; a path stands
            for the content of the file or of the folder's files with their relative names. Every byte is read (a
            second or two per gigabyte), but only once per process while the file stays as it is.

    Raises:
        TypeError: If a part is of another type.
        FileNotFoundError: If a path does not exist.
    """
    digest = hashlib.sha256()
    for part in parts:
        _feed(digest, part)
    return digest.hexdigest()[:LENGTH]


def _feed(digest: _Hash, part: object) -> None:
    digest.update(type(part).__name__.encode() + b"\0")
    if isinstance(part, pa.Table):
        _feed_table(digest, part)
    elif isinstance(part, torch.Tensor):
        _feed_tensor(digest, part)
    elif isinstance(part, Path):
        _feed_path(digest, part)
    elif isinstance(part, Mapping):
        for key in sorted(part):
            _feed(digest, str(key))
            _feed(digest, part[key])
    elif isinstance(part, bytes):
        digest.update(part)
    elif isinstance(part, Sequence) and not isinstance(part, str):
        for element in part:
            _feed(digest, element)
    elif part is None or isinstance(part, str | int | float):
        digest.update(json.dumps(part).encode() + b"\0")
    else:
        raise TypeError(f"cannot fingerprint a {type(part).__name__}")


def _feed_table(digest: _Hash, table: pa.Table) -> None:
    """Hash the schema and the values, whatever the chunking and slicing."""
    sink = pa.BufferOutputStream()
    compact = pa.concat_tables([table.slice(0, 0), table]).combine_chunks()
    with pa.ipc.new_stream(sink, compact.schema) as writer:
        writer.write_table(compact)
    digest.update(sink.getvalue())


def _feed_tensor(digest: _Hash, tensor: torch.Tensor) -> None:
    flat = tensor.detach().cpu().contiguous()
    digest.update(f"{flat.dtype}{tuple(flat.shape)}".encode())
    digest.update(flat.flatten().view(torch.uint8).numpy().tobytes() if flat.numel() else b"")


def _feed_path(digest: _Hash, path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"'{path}' does not exist")
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        digest.update(b"" if file == path else file.relative_to(path).as_posix().encode())
        digest.update(_file_digest(file))


def _file_digest(file: Path) -> bytes:
    """Return the hash of a file's content, read once per process unless anything about the file has changed since.

    The time of the last change of its entry (ctime) tells a file that was rewritten in place, even with its size and
    its time of modification as before: no program can set it. A file that changed a moment ago is not remembered, as
    a change within the same tick of the clock would not show.
    """
    name = file.resolve()
    state = _state(name)
    known = _digests.get(name)
    if known is not None and known[0] == state:
        return known[1]
    with name.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    if _state(name) == state and time.time_ns() - state[-1] > _SETTLED:
        _digests[name] = state, digest
    return digest


def _state(file: Path) -> tuple[int, ...]:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
