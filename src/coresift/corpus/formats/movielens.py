"""MovieLens in its official layouts: 100K, 1M and 10M with separators, 20M, 25M, 32M and the latest as CSV.

Layouts: the README of each release at https://grouplens.org/datasets/movielens/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from coresift.corpus.engines.staging import FAULT
from coresift.corpus.formats.columns import spelled
from coresift.corpus.formats.delimited import read_delimited
from coresift.corpus.formats.raw_files import RawFile
from coresift.corpus.formats.text_lines import read_separated

Rows = Iterator[pa.RecordBatch]

_GENRES_100K = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical "
    "Mystery Romance Sci-Fi Thriller War Western"
).split()
_FIELDS_100K = ["item_id", "title", "release_date", "video_release_date", "imdb_url", *_GENRES_100K]
_RATING_FIELDS = ["user_id", "item_id", "rating", "timestamp"]
_AGES_1M = {"1": "under 18", "18": "18-24", "25": "25-34", "35": "35-44", "45": "45-49", "50": "50-55", "56": "56+"}
_OCCUPATIONS_1M = (
    "other or not specified|academic/educator|artist|clerical/admin|college/grad student|customer service|"
    "doctor/health care|executive/managerial|farmer|homemaker|K-12 student|lawyer|programmer|retired|sales/marketing|"
    "scientist|self-employed|technician/engineer|tradesman/craftsman|unemployed|writer"
).split("|")
_NO_GENRES = "(no genres listed)"


@dataclass(frozen=True)
class _Part:
    """Where one raw table of a release lies, and how it is read."""

    file: str
    read: Callable[[RawFile], Rows]


def read_movielens(files: Sequence[RawFile], part: str) -> Rows:
    """Read one raw table of a MovieLens release.

    Args:
        files: The files of the release, from its folder or its zip archive.
        part: ``interactions``, ``items`` or ``users``; releases without profiles give no users.

    Returns:
        Batches of text columns named as in the project's schema.

    Raises:
        ValueError: If the files are those of no release.
    """
    by_name = {file.name: file for file in files}
    for parts in _RELEASES:
        if parts["interactions"].file in by_name and parts["items"].file in by_name:
            wanted = parts.get(part)
            if wanted is None or wanted.file not in by_name:
                return iter([pa.record_batch({"user_id": pa.array([], pa.string())})])
            return wanted.read(by_name[wanted.file])
    expected = " or ".join(f"{parts['interactions'].file} and {parts['items'].file}" for parts in _RELEASES)
    raise ValueError(f"no MovieLens release is there: it needs {expected}.")


def _ratings_100k(file: RawFile) -> Rows:
    return read_separated(file, _RATING_FIELDS, "\t")


def _items_100k(file: RawFile) -> Rows:
    for batch in read_separated(file, _FIELDS_100K, "|", encoding="latin-1"):
        flags = zip(*(batch[name].to_pylist() for name in _GENRES_100K), strict=True)
        genres = [[name for name, flag in zip(_GENRES_100K[1:], row[1:], strict=True) if flag == "1"] for row in flags]
        yield _with(batch.select(["item_id", "title", FAULT]), category=pa.array(genres, _LIST))


def _users_100k(file: RawFile) -> Rows:
    return read_separated(file, ["user_id", "age", "gender", "occupation", "zip_code"], "|", encoding="latin-1")


def _ratings_1m(file: RawFile) -> Rows:
    return read_separated(file, _RATING_FIELDS, "::")


def _items_1m(file: RawFile) -> Rows:
    return _listed(read_separated(file, ["item_id", "title", "category"], "::"))


def _users_1m(file: RawFile) -> Rows:
    for batch in read_separated(file, ["user_id", "gender", "age", "occupation", "zip_code"], "::"):
        occupations = dict(enumerate(_OCCUPATIONS_1M))
        named = {
            "age": [_AGES_1M.get(code, code) for code in batch["age"].to_pylist()],
            "occupation": [
                occupations.get(int(code), code) if (code or "").isdecimal() else code
                for code in batch["occupation"].to_pylist()
            ],
        }
        yield _with(batch, **{name: pa.array(values, pa.string()) for name, values in named.items()})


def _ratings_csv(file: RawFile) -> Rows:
    return _renamed(read_delimited(file), {"userId": "user_id", "movieId": "item_id"})


def _items_csv(file: RawFile) -> Rows:
    return _listed(_renamed(read_delimited(file), {"movieId": "item_id", "genres": "category"}))


_LIST = pa.list_(pa.string())


def _listed(batches: Rows) -> Rows:
    """Turn genres written with bars between them into lists."""
    for batch in batches:
        genres = [[] if text in (None, _NO_GENRES) else text.split("|") for text in batch["category"].to_pylist()]
        yield _with(batch, category=pa.array(genres, _LIST))


def _renamed(batches: Rows, names: Mapping[str, str]) -> Rows:
    """Give columns the project's names, whatever the case of their own."""
    for batch in batches:
        found = {spelled(name, batch.schema.names): ours for name, ours in names.items()}
        yield batch.rename_columns([found.get(name, name) for name in batch.schema.names])


def _with(batch: pa.RecordBatch, **columns: pa.Array) -> pa.RecordBatch:
    """Replace or add columns."""
    return pa.record_batch({**dict(zip(batch.schema.names, batch.columns, strict=True)), **columns})


_RELEASES: tuple[dict[str, _Part], ...] = (
    {
        "interactions": _Part("u.data", _ratings_100k),
        "items": _Part("u.item", _items_100k),
        "users": _Part("u.user", _users_100k),
    },
    {
        "interactions": _Part("ratings.dat", _ratings_1m),
        "items": _Part("movies.dat", _items_1m),
        "users": _Part("users.dat", _users_1m),
    },
    {
        "interactions": _Part("ratings.csv", _ratings_csv),
        "items": _Part("movies.csv", _items_csv),
    },
)
