"""JSON lines, strict or as Python writes dictionaries, and arrays of objects, with every value as text."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from coresift.corpus.engines.staging import FAULT
from coresift.corpus.formats.columns import spelled
from coresift.corpus.formats.json_arrays import holds_array, read_array
from coresift.corpus.formats.raw_files import RawFile
from coresift.corpus.formats.text_lines import UNREADABLE_LINE, text_lines
from coresift.corpus.spelling.values import split_path

Record = dict[str, Any]

PATHS = frozenset({"category", "categories"})
"""Columns that hold a list of names; every other column holds text."""

_LONGEST_PRINTED = 1 << 18
"""Longest printed dictionary, in characters: Python's parser takes some hundred times the length of what it reads."""

_MOST_COLUMNS = 4096


def read_json_lines(file: RawFile, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Read objects, one per line or in one array.

    Args:
        file: What to read.
        columns: Columns to read, from names that may differ in case; None reads every one that occurs, by its exact
            name, and the file twice.

    Yields:
        Batches of the columns and of ``FAULT``, which marks lines that hold no object.

    Raises:
        ValueError: If no line holds an object, or if their names are too many for a table.
    """
    if columns is None:
        columns = _names(file)
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
    """Read the objects of a file, some thousands at a time; None where a line or an element of an array is none.

    Raises:
        ValueError: If there are lines or elements, and not one is an object.
    """
    n_rows = n_objects = 0
    for records in _elements(file) if holds_array(file) else _lines(file):
        n_rows += len(records)
        n_objects += sum(record is not None for record in records)
        yield records
    if n_rows and not n_objects:
        raise ValueError(f"{file.name} holds no JSON object in a line: write one object per line, or an array of them.")


def parse_record(line: str) -> Record | None:
    """Return the object of a line: JSON, or the dictionary that Python printed; None if it is neither.

    The metadata of the Amazon reviews of 2014 are printed dictionaries.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        if len(line) > _LONGEST_PRINTED:
            return None
        try:
            value = ast.literal_eval(line.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    return _as_record(value)


def value_of(record: Record, name: str) -> object:
    """Return a value by its name, which may differ in case if no name is equal."""
    if name in record:
        return record[name]
    spelling = _spelled(name, tuple(record))
    return None if spelling is None else record[spelling]


def as_text(value: object) -> str | None:
    """Return a value as text; lists and objects as JSON."""
    if value is None or isinstance(value, str):
        return None if value is None else _storable(value)
    if not isinstance(value, dict | list | bool):
        return str(value)
    try:
        return _storable(json.dumps(value, ensure_ascii=False, default=str, skipkeys=True))
    except (RecursionError, ValueError):  # too deep
        return None


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
    return lambda record: convert(value_of(record, name))


def _lines(file: RawFile) -> Iterator[list[Record | None]]:
    """Read the objects of lines."""
    for lines in text_lines(file):
        yield [parse_record(line) for line in lines]


def _elements(file: RawFile) -> Iterator[list[Record | None]]:
    """Read the objects of an array."""
    for values in read_array(file):
        yield [_as_record(value) for value in values]


def _as_record(value: object) -> Record | None:
    """Return an object with names of text, as printed dictionaries need not have them; None for other values."""
    if not isinstance(value, dict):
        return None
    if all(isinstance(name, str) and name.isascii() for name in value):
        return value
    return {_storable(name if isinstance(name, str) else str(name)): entry for name, entry in value.items()}


def _names(file: RawFile) -> list[str]:
    """Return the names that occur in a file."""
    names: dict[str, None] = {}
    for records in read_records(file):
        names |= dict.fromkeys(name for record in records for name in record or ())
        if len(names) > _MOST_COLUMNS:
            raise ValueError(f"{file.name} has objects of more than {_MOST_COLUMNS} names, which are no columns.")
    return list(names)


@lru_cache(maxsize=4096)
def _spelled(name: str, names: tuple[str, ...]) -> str | None:
    """Return how objects of such names spell one, which few kinds of objects ask for."""
    return spelled(name, names)


def _storable(text: str) -> str:
    """Return text without halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
