"""Amazon reviews of 2014, 2018 and 2023: reviews and metadata as JSON lines, strict or as Python prints dictionaries.

Layouts: https://jmcauley.ucsd.edu/data/amazon/ (2014), https://nijianmo.github.io/amazon/ (2018) and
https://amazon-reviews-2023.github.io/ (2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from coresift.corpus.formats.json_lines import Record, as_batch, as_path, as_text, read_records, value_of
from coresift.corpus.formats.raw_files import RawFile

METADATA_PREFIX = "meta_"
"""How the names of metadata files begin, in every release."""

_REVIEW_FIELDS = {
    "user_id": ("user_id", "reviewerID"),
    "item_id": ("parent_asin", "asin"),
    "rating": ("rating", "overall"),
    "timestamp": ("timestamp", "unixReviewTime"),
}
"""Names of a column in the releases; the first that a review has counts. Variants of a product share a parent."""

_ITEM_FIELDS = {"item_id": ("parent_asin", "asin"), "title": ("title",)}
_CATEGORY_FIELDS = ("category", "categories")
_SUFFIXES = (".json", ".jsonl")


def read_amazon(files: Sequence[RawFile], part: str) -> Iterator[pa.RecordBatch]:
    """Read the reviews or the metadata of one category.

    Args:
        files: The two files of the category, or the wanted one alone.
        part: ``interactions`` or ``items``; there are no profiles of users.

    Yields:
        Batches of text columns named as in the project's schema, and of the fault of each line.

    Raises:
        ValueError: If there is not exactly one file of the wanted kind.
    """
    if part == "users":
        return iter([pa.record_batch({"user_id": pa.array([], pa.string())})])
    is_metadata = part == "items"
    fitting = [file for file in files if file.suffix in _SUFFIXES]
    wanted = [file for file in fitting if file.name.startswith(METADATA_PREFIX) == is_metadata]
    if len(files) == 1 and fitting:
        wanted = fitting
    if len(wanted) != 1:
        kind = f"metadata ({METADATA_PREFIX}*.json or .jsonl)" if is_metadata else "reviews (*.json or *.jsonl)"
        raise ValueError(f"there are {len(wanted)} files of {kind}, but one is expected: give its path.")
    return _items(wanted[0]) if is_metadata else _reviews(wanted[0])


def _reviews(file: RawFile) -> Iterator[pa.RecordBatch]:
    """Read reviews."""
    for records in read_records(file):
        yield as_batch(records, {name: _first_of(fields) for name, fields in _REVIEW_FIELDS.items()})


def _items(file: RawFile) -> Iterator[pa.RecordBatch]:
    """Read metadata."""
    columns = {name: _first_of(fields) for name, fields in _ITEM_FIELDS.items()}
    for records in read_records(file):
        yield as_batch(records, {**columns, "category": _category})


def _first_of(fields: Sequence[str]) -> Callable[[Record], str | None]:
    """Return what takes the first of several fields that a record has, as text."""
    return lambda record: next((as_text(value) for value in _values(record, fields) if value is not None), None)


def _category(record: Record) -> list[str] | None:
    """Take the path of categories; items of several have the first."""
    return next((as_path(value) for value in _values(record, _CATEGORY_FIELDS) if value), None)


def _values(record: Record, fields: Sequence[str]) -> Iterator[object]:
    """Yield the values of several fields."""
    return (value_of(record, name) for name in fields)
