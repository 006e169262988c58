"""Lines of text files in bounded memory, whatever their encoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

import pyarrow as pa

from coresift.corpus.engines.staging import FAULT
from coresift.corpus.formats.raw_files import RawFile

_CHUNK = 1 << 23
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_LINE = 1 << 24
"""In bytes; what a line takes when it is parsed is many times its own length."""


def text_lines(file: RawFile, *, encoding: str | None = None) -> Iterator[list[str]]:
    """Read a file's lines in lists of some megabytes, without line ends and without blank lines.

    Args:
        file: What to read.
        encoding: Encoding of the whole file; None takes UTF-8 and, for single lines that are not, Windows-1252.

    Yields:
        Lines in file order.

    Raises:
        ValueError: If a line is longer than 16 megabytes, which no table has.
    """
    with file.open() as stream:
        for lines in _byte_lines(stream, file.name):
            yield [line for line in _decoded(lines, encoding) if line.strip(" \t\f\v")]


def decode(value: bytes) -> str:
    """Return bytes as text: UTF-8, else Windows-1252, else Latin-1, which takes any byte."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            continue
    return value.decode("latin-1")


def _byte_lines(stream: IO[bytes], name: str) -> Iterator[list[bytes]]:
    """Split a stream at line feeds."""
    rest = stream.read(len(_BYTE_ORDER_MARK)).removeprefix(_BYTE_ORDER_MARK)
    while chunk := stream.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise ValueError(f"{name} has a line longer than 16 MB: give a text file with one row per line.")
        if lines:
            yield lines
    yield [rest]


def _decoded(lines: list[bytes], encoding: str | None) -> list[str]:
    """Return lines as text, all at once where all have the same encoding."""
    try:
        whole = b"\n".join(lines).decode(encoding or "utf-8")
    except UnicodeDecodeError:
        return [decode(line).rstrip("\r") for line in lines]
    return [line.rstrip("\r") for line in whole.split("\n")]


UNREADABLE_LINE = "unreadable line"


def read_separated(
    file: RawFile, columns: Sequence[str], separator: str, *, encoding: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Read lines into columns of text.

    Args:
        file: What to read.
        columns: Names of the fields of a line, all of them.
        separator: What stands between two fields.
        encoding: See :func:`~coresift.corpus.formats.text_lines.text_lines`.

    Yields:
        Batches of ``columns`` and ``FAULT``, which marks lines that have another number of fields.
    """
    schema = pa.schema([*((name, pa.string()) for name in columns), (FAULT, pa.string())])
    for lines in text_lines(file, encoding=encoding):
        fields = [line.split(separator) for line in lines]
        sound = [len(row) == len(columns) for row in fields]
        nothing = [None] * len(columns)
        rows = fields if all(sound) else [row if ok else nothing for row, ok in zip(fields, sound, strict=True)]
        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        faults = [None if ok else UNREADABLE_LINE for ok in sound]
        yield pa.record_batch([*map(pa.array, values, schema.types), pa.array(faults, pa.string())], schema=schema)
