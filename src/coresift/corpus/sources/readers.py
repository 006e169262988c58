"""What reads the rows of a source that no engine reads by itself, by format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from coresift.corpus.formats.amazon import read_amazon
from coresift.corpus.formats.delimited import read_delimited
from coresift.corpus.formats.json_lines import read_json_lines
from coresift.corpus.formats.movielens import read_movielens
from coresift.corpus.formats.raw_files import RawFile

Rows = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Reading:
    """How rows are to be read.

    Attributes:
        part: Which table of a release.
        delimiter: Of CSV; None tells it from the header.
        quote: Of CSV: what may stand around values.
        escape: Of CSV: what takes the meaning of the mark behind it.
        columns: Columns that will be used, under the names they have in the file; None is all.
    """

    part: str | None
    delimiter: str | None
    quote: str
    escape: str | None
    columns: Sequence[str] | None


def _only(files: Sequence[RawFile]) -> RawFile:
    """Return the file of a format that has one."""
    if len(files) != 1:
        raise ValueError(f"there are {len(files)} files, but one is expected: give the path of the file itself.")
    return files[0]


def _csv(files: Sequence[RawFile], reading: Reading) -> Rows:
    return read_delimited(_only(files), delimiter=reading.delimiter, quote=reading.quote, escape=reading.escape)


def _json_lines(files: Sequence[RawFile], reading: Reading) -> Rows:
    return read_json_lines(_only(files), columns=reading.columns)


def _movielens(files: Sequence[RawFile], reading: Reading) -> Rows:
    return read_movielens(files, str(reading.part))


def _amazon(files: Sequence[RawFile], reading: Reading) -> Rows:
    return read_amazon(files, str(reading.part))


READERS: Mapping[str, Callable[[Sequence[RawFile], Reading], Rows]] = {
    "csv": _csv,
    "jsonl": _json_lines,
    "movielens": _movielens,
    "amazon": _amazon,
}
"""Readers of files, by format."""

_SUFFIXES = {
    **dict.fromkeys((".parquet", ".parq", ".pq"), "parquet"),
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}

FORMATS = ("parquet", *READERS, "database")


def format_told_by(file: RawFile) -> str | None:
    """Return the format that a file's name tells."""
    return _SUFFIXES.get(file.suffix)
