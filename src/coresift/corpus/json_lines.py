"""JSON lines, strict or as Python writes dictionaries, with every value as text."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from coresift.corpus.raw_files import RawFile
from coresift.corpus.separated_lines import UNREADABLE_LINE
from coresift.corpus.staging import FAULT
from coresift.corpus.text_lines import text_lines
from coresift.corpus.values import split_path

Record = dict[str, Any]

PATHS = frozenset({"category", "categories"})
"""Columns that hold a list of names; every other column holds text."""


def read_json_lines(file: RawFile, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Read objects, one per line.

    Args:
        file: What to read.
        columns: Columns to read; None reads every one that occurs, and the file twice.

    Yields:
        Batches of the columns and of ``FAULT``, which marks lines that hold no object.
    """
    if columns is None:
        columns = list(dict.fromkeys(name for records in read_records(file) for row in records for name in row or ()))
    readers = {name: _reader(name) for name in dict.fromkeys(columns)}
    for records in read_records(file):
        yield as_batch(records, readers)


def as_batch(records: Sequence[Record | None], columns: Mapping[str, Callable[[Record], object]]) -> pa.RecordBatch:
    """Return records as a batch.

    Args:
        records: Objects; None stands for a line that held none.
        columns: By name, what takes a column's value from a record: text, or for ``PATHS`` a list of text.
    """
    values = {
        name: pa.array(
            [None if record is None else take(record) for record in records],
            pa.list_(pa.string()) if name in PATHS else pa.string(),
        )
        for name, take in columns.items()
    }
    faults = pa.array([UNREADABLE_LINE if record is None else None for record in records], pa.string())
    return pa.record_batch({**values, FAULT: faults})


def read_records(file: RawFile) -> Iterator[list[Record | None]]:
    """Read the objects of a file, some thousands at a time; None where a line holds none."""
    for lines in text_lines(file):
        yield [parse_record(line) for line in lines]


def parse_record(line: str) -> Record | None:
    """Return the object of a line: JSON, or the dictionary that Python printed; None if it is neither.

    The metadata of the Amazon reviews of 2014 are printed dictionaries.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(line.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    return value if isinstance(value, dict) else None


def as_text(value: object) -> str | None:
    """Return a value as text; lists and objects as JSON."""
    if value is None or isinstance(value, str):
        return None if value is None else _storable(value)
    if isinstance(value, dict | list | bool):
        return _storable(json.dumps(value, ensure_ascii=False, default=str))
    return str(value)


def as_path(value: object) -> list[str] | None:
    """Return a list of names, the first of several lists, or text with separators, as a list of text."""
    while isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, list):
        return [text for text in map(as_text, value) if text]
    text = as_text(value)
    return None if text is None else split_path(text)


def _reader(name: str) -> Callable[[Record], object]:
    """Return what takes a column's value from a record."""
    convert = as_path if name in PATHS else as_text
    return lambda record: convert(record.get(name))


def _storable(text: str) -> str:
    """Return text without halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
