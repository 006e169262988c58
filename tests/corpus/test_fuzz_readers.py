"""Damaged files of every format: either one clear sentence, or every row kept or set apart, none lost.

The search lasts as many seconds as ``CORESIFT_FUZZ_SECONDS`` says; ``make fuzz`` gives it ten minutes.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from coresift.corpus import Source
from coresift.corpus.cleaning.catalogue import read_items
from coresift.corpus.cleaning.interaction_log import read_log
from coresift.corpus.engines.duckdb_engine import open_duckdb
from coresift.corpus.engines.engine import Engine

SECONDS = float(os.environ.get("CORESIFT_FUZZ_SECONDS", "20"))
EXAMPLES_PER_ROUND = 5
LOG = [
    {"user_id": user, "item_id": str(item), "rating": str(item % 5), "timestamp": str(10**9 + item)}
    for user in ("ann", "böb", "c,d")
    for item in range(1, 6)
]
TITLES = [{"item_id": str(item), "title": f"Title é {item}"} for item in range(1, 6)]
TOKENS = [
    *(
        b"\n",
        b"\r\n",
        b"\r",
        b'"',
        b"'",
        b'""',
        b'"\n',
        b'\\"',
        b',"',
        b'" ',
        b",",
        b"::",
        b"\t",
        b"|",
        b"{",
        b"}",
        b"[",
        b"\\",
        b"\\u0000",
        b"\\ud800",
    ),
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xe9",
        b"\xef\xbb\xbf",
        b"nan",
        b"-1",
        b"1e400",
        b"null",
        b"true",
        b"999999999999999999999",
    ),
    *(
        b"user_id",
        b"USER_ID",
        b"Rating",
        b"},",
        b"[{",
        b"x" * 5000,
        b"(" * 300,
        b"2020-01-01T00:00:00Z",
        b"-9223372036854775809",
        b"0x1F",
        b"\xf0\x9f\x98\x80",
    ),
]


@dataclass(frozen=True)
class Layout:
    """A format: its good files, and how to say where they are.

    Attributes:
        files: Content by name.
        target: Name of the file that is damaged.
        source: Makes the source that reads it from a folder.
        read: ``log`` or ``items``: what it holds.
        rows_are_lines: Whether every line that is not blank is a row.
    """

    files: dict[str, bytes]
    target: str
    source: Callable[[Path], Source]
    read: str = "log"
    rows_are_lines: bool = False


def csv_of(rows: list[dict], separator: str = ",", *, header: bool = True) -> bytes:
    names = [separator.join(rows[0])] if header else []
    quote = '"{}"' if separator == "," else "{}"
    lines = [separator.join(quote.format(value) for value in row.values()) for row in rows]
    return ("\n".join(names + lines) + "\n").encode()


def json_of(rows: list[dict], **names: str) -> bytes:
    renamed = [{names.get(name, name): value for name, value in row.items()} for row in rows]
    return ("\n".join(json.dumps(row) for row in renamed) + "\n").encode()


def parquet_of(rows: list[dict]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


def one_file(name: str, **options) -> Callable[[Path], Source]:
    return lambda folder: Source("raw", path=str(folder / name), **options)


def release(kind: str, part: str) -> Callable[[Path], Source]:
    return lambda folder: Source("raw", path=str(folder), format=kind, part=part)


ML_100K_ITEM = "\n".join(f"{item}|Filmé {item}|01-Jan-1995||http://x|{'|'.join('01' * 9)}|0" for item in range(1, 6))
ML_1M = {
    "ratings.dat": csv_of(LOG, "::", header=False),
    "movies.dat": b"1::One::A|B\n2::Two::C\n3::\xc9::D\n4::F::E\n5::G::E\n",
}
REVIEWS = {"reviews.json": json_of(LOG, user_id="reviewerID", item_id="asin"), "meta_x.json": repr(TITLES[0]).encode()}
META_2014 = "\n".join(repr({"asin": row["item_id"], "title": row["title"]}) for row in TITLES).encode()
LAYOUTS = {
    "csv": Layout({"t.csv": csv_of(LOG)}, "t.csv", one_file("t.csv")),
    "tsv": Layout({"t.tsv": csv_of(LOG, "\t")}, "t.tsv", one_file("t.tsv")),
    "csv.gz": Layout({"t.csv.gz": gzip.compress(csv_of(LOG))}, "t.csv.gz", one_file("t.csv.gz")),
    "jsonl": Layout({"t.jsonl": json_of(LOG)}, "t.jsonl", one_file("t.jsonl"), rows_are_lines=True),
    "escaped": Layout({"t.csv": csv_of(LOG).replace(b"ann", b'a\\"nn')}, "t.csv", one_file("t.csv", escape="\\")),
    "no quotes": Layout({"t.tsv": csv_of(LOG, "\t")}, "t.tsv", one_file("t.tsv", quote="")),
    "other case": Layout(
        {"t.csv": csv_of(LOG).replace(b"user_id", b"User_ID").replace(b"rating", b"RATING")}, "t.csv", one_file("t.csv")
    ),
    "odd path": Layout({"t[1]*?'.csv": csv_of(LOG)}, "t[1]*?'.csv", one_file("t[1]*?'.csv")),
    "odd parquet": Layout({"t[1]*?'.parquet": parquet_of(LOG)}, "t[1]*?'.parquet", one_file("t[1]*?'.parquet")),
    "array": Layout({"t.json": json.dumps(LOG).encode()}, "t.json", one_file("t.json")),
    "printed array": Layout({"t.json": json.dumps(LOG, indent=1).encode()}, "t.json", one_file("t.json")),
    "parquet": Layout({"t.parquet": parquet_of(LOG)}, "t.parquet", one_file("t.parquet")),
    "100K": Layout(
        {"u.data": csv_of(LOG, "\t", header=False), "u.item": b""},
        "u.data",
        release("movielens", "interactions"),
        rows_are_lines=True,
    ),
    "100K items": Layout(
        {"u.data": b"", "u.item": ML_100K_ITEM.encode("latin-1")},
        "u.item",
        release("movielens", "items"),
        read="items",
        rows_are_lines=True,
    ),
    "1M": Layout(ML_1M, "ratings.dat", release("movielens", "interactions"), rows_are_lines=True),
    "1M items": Layout(ML_1M, "movies.dat", release("movielens", "items"), read="items", rows_are_lines=True),
    "amazon": Layout(REVIEWS, "reviews.json", release("amazon", "interactions"), rows_are_lines=True),
    "amazon items": Layout(
        {
            "meta_x.json": META_2014,
            "reviews.json": b"{}",
        },
        "meta_x.json",
        release("amazon", "items"),
        read="items",
        rows_are_lines=True,
    ),
}
damages = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "delete", "cut", "repeat"]),
        st.floats(0, 1),
        st.one_of(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=8)),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for kind, where, token in changes:
        place = int(where * len(content))
        before, after = content[:place], content[place:]
        content = {
            "insert": before + token + after,
            "replace": before + token + after[len(token) :],
            "delete": before + after[len(token) :],
            "cut": before,
            "repeat": before + after[:200] + after,
        }[kind]
    return content


def known_items() -> ibis.Table:
    return ibis.memtable(pa.table({"item": list("12345"), "item_id": pa.array(range(5), pa.int32())}))


def check_nothing_is_lost(layout: Layout, content: bytes, engine: Engine, folder: Path) -> None:
    for name, original in layout.files.items():
        (folder / name).write_bytes(content if name == layout.target else original)
    source = layout.source(folder)
    try:
        part = read_log(source, known_items(), engine) if layout.read == "log" else read_items(source, engine)
    except ValueError as error:
        assert str(error).startswith("raw (")
        assert len(str(error)) < 20_000
        return
    assert engine.count(part.rows) + engine.count(part.rejected) == part.n_rows
    if layout.rows_are_lines:
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert part.n_rows == sum(bool(line.rstrip(b"\r").strip(b" \t\f\v")) for line in lines)


def search(layout: Layout, engine: Engine, root: Path, round_number: int) -> None:
    """Try some damages of one layout; a failing one is made as small as possible and shown."""

    @seed(round_number)
    @settings(max_examples=EXAMPLES_PER_ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(damages)
    def try_one(changes):
        folder = root / uuid.uuid4().hex
        folder.mkdir()
        check_nothing_is_lost(layout, damaged(layout.files[layout.target], changes), engine, folder)

    try_one()


def test_damaged_files_end_well(tmp_path):
    deadline = time.monotonic() + SECONDS
    for round_number in itertools.count():
        for layout in LAYOUTS.values():
            if round_number and time.monotonic() > deadline:
                return
            with open_duckdb(threads=1) as engine:
                search(layout, engine, tmp_path, round_number)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_good_files_are_read_whole(name, tmp_path):
    layout = LAYOUTS[name]
    with open_duckdb(threads=1) as engine:
        check_nothing_is_lost(layout, layout.files[layout.target], engine, tmp_path)
        source = layout.source(tmp_path)
        part = read_log(source, known_items(), engine) if layout.read == "log" else read_items(source, engine)
        assert engine.count(part.rejected) == 0
        assert part.n_rows == (15 if layout.read == "log" else 5)
