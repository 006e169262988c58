"""A column is found by its exact name, else by the one that differs in case only, whatever the format and engine."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coresift.corpus import Source, open_source
from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.staging import FAULT, SOURCE_ROW

OTHER_CASE = {"USER_ID": ["a", "b"], "Item_Id": ["1", "2"], "TimeStamp": ["10", "20"], "Split": ["train", "test"]}
COLUMNS = {"required": ("user_id", "item_id"), "optional": ("timestamp", "rating", "split")}
FORMATS = ["parquet", "csv", "jsonl", "json", "memory"]


@pytest.fixture
def rows(tmp_path: Path, engine: Engine):
    """Write columns in a format, and open them as a source."""

    def run(columns: dict[str, list], kind: str, *, mapping: dict[str, str] | None = None, **wanted) -> list[dict]:
        table = pa.table(list(columns.values()), names=list(columns))
        records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        path = tmp_path / f"t.{kind}"
        if kind == "parquet":
            pq.write_table(table, path)
        elif kind == "csv":
            lines = [",".join(columns), *(",".join(map(str, row.values())) for row in records)]
            path.write_text("\n".join(lines) + "\n")
        else:
            path.write_text(json.dumps(records) if kind == "json" else "\n".join(map(json.dumps, records)))
        place = {"table": table} if kind == "memory" else {"path": str(path)}
        opened = open_source(Source("raw", columns=mapping, **place), engine, **wanted)
        return engine.rows(opened.order_by(SOURCE_ROW).drop(SOURCE_ROW, FAULT))

    return run


@pytest.mark.parametrize("kind", FORMATS)
def test_no_column_is_lost_for_its_case(rows, kind):
    read = rows(OTHER_CASE, kind, **COLUMNS)
    assert read == [
        {"user_id": "a", "item_id": "1", "timestamp": "10", "split": "train"},
        {"user_id": "b", "item_id": "2", "timestamp": "20", "split": "test"},
    ]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_exact_name_wins(rows, kind):
    columns = {"Rating": ["9", "9"], "rating": ["1", "2"], "user_id": ["a", "b"], "USER_ID": ["x", "y"]}
    read = rows(columns, kind, required=("user_id",), optional=("rating",))
    assert read == [{"user_id": "a", "rating": "1"}, {"user_id": "b", "rating": "2"}]
    assert rows(columns, kind, mapping={"rating": "Rating"}, required=(), optional=("rating",))[0] == {"rating": "9"}


@pytest.mark.parametrize("kind", FORMATS)
def test_two_other_spellings_cannot_be_told_apart(rows, kind):
    columns = {"user_id": ["a"], "Rating": ["1"], "RATING": ["2"]}
    with pytest.raises(ValueError, match=r"raw.*: columns Rating, RATING cannot be told apart as rating: rename all"):
        rows(columns, kind, required=("user_id",), optional=("rating",))


@pytest.mark.parametrize("kind", FORMATS)
def test_columns_that_nobody_reads_may_differ_in_case_only(rows, kind):
    columns = {"Note": ["1"], "note": ["2"], "user_id": ["a"], "NOTE": ["3"]}
    assert rows(columns, kind, required=("user_id",), optional=("rating",)) == [{"user_id": "a"}]


@pytest.mark.parametrize("kind", FORMATS)
def test_profiles_that_differ_in_case_only_are_named(rows, kind):
    with pytest.raises(ValueError, match=r"raw.*: columns Age, age cannot be told apart: rename all but one"):
        rows({"user_id": ["a"], "Age": ["1"], "age": ["2"]}, kind, required=("user_id",))
    assert rows({"User_ID": ["a"], "Age": ["1"]}, kind, required=("user_id",)) == [{"user_id": "a", "Age": "1"}]
    both = {"user_id": ["a"], "USER_ID": ["b"], "Age": ["1"]}
    assert rows(both, kind, required=("user_id",)) == [{"user_id": "a", "Age": "1"}]


@pytest.mark.parametrize("kind", FORMATS)
def test_mapped_columns_are_found_in_any_case(rows, kind):
    read = rows({"ReviewerID": ["a"], "n": ["1"]}, kind, mapping={"user_id": "reviewerid"}, required=("user_id",))
    assert read == [{"user_id": "a", "n": "1"}]


def test_tables_of_databases_follow_the_same_rule(tmp_path, engine):
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE t (USER_ID TEXT, Rating TEXT)")
        connection.execute("INSERT INTO t VALUES ('a', '1')")
    source = Source("raw", path=f"sqlite://{tmp_path}/shop.db", format="database", database_table="t")
    table = open_source(source, engine, required=("user_id",), optional=("rating",))
    assert engine.rows(table.select("user_id", "rating")) == [{"user_id": "a", "rating": "1"}]


def test_releases_follow_the_same_rule(tmp_path, engine):
    (tmp_path / "movies.csv").write_text("MovieID,Title,Genres\n1,A,X|Y\n")
    (tmp_path / "ratings.csv").write_text("UserID,MovieID,Rating,Timestamp\n1,1,4,10\n")
    (tmp_path / "reviews.json").write_text('{"ReviewerId": "a", "ASIN": "1", "Overall": 4, "UnixReviewTime": 10}')
    for kind, place, user in (("movielens", tmp_path, "1"), ("amazon", tmp_path / "reviews.json", "a")):
        source = Source("raw", path=str(place), format=kind, part="interactions")
        table = open_source(source, engine, required=("user_id", "item_id"), optional=("rating", "timestamp"))
        row = engine.rows(table.drop(SOURCE_ROW, FAULT))[0]
        assert row == {"user_id": user, "item_id": "1", "rating": "4", "timestamp": "10"}


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("{'user_id': 'a', 1: 'x', None: 'y', ('b',): 'z'}", {"user_id": "a", "1": "x", "None": "y", "('b',)": "z"}),
        ('{"user_id": "a", "": "x", " ": "y"}', {"user_id": "a", "column_1": "x", "column_2": "y"}),
        ('{"user_id": "a", "\\ud800": "x", "é": "y", "a\\"b": "z"}', {"user_id": "a", "?": "x", "é": "y", 'a"b': "z"}),
    ],
)
def test_odd_names_of_profiles_are_names(tmp_path, engine, printed, expected):
    (tmp_path / "users.jsonl").write_text(printed + "\n{}\n")
    table = open_source(Source("raw", path=str(tmp_path / "users.jsonl")), engine, required=("user_id",))
    assert engine.rows(table.order_by(SOURCE_ROW).drop(SOURCE_ROW, FAULT))[0] == expected
