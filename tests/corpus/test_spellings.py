"""Ids and times as the world writes them: one table whatever the format, and a fitting reason for what is no id."""

from __future__ import annotations

import decimal
import json
import logging
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coresift.corpus import Ingested, Source, ingest
from coresift.corpus.spelling.values import MISSING

N_USERS, N_EACH, N_ITEMS = 12, 5, 20
PLAIN = [
    {"user_id": user, "item_id": (user * 5 + step * 3) % N_ITEMS, "timestamp": 1_600_000_000 + user * 100 + step}
    for user in range(N_USERS)
    for step in range(N_EACH)
]
ITEMS = Source("raw_items", table=pa.table({"item_id": range(N_ITEMS), "title": [f"T{i}" for i in range(N_ITEMS)]}))
FORMATS = ("csv", "jsonl", "parquet", "sqlite", "memory")
DAY = 86_400_000


def source_of(rows: list[dict[str, object]], kind: str, folder: Path, name: str = "raw_interactions") -> Source:
    """Write rows, whose values are of the types that the format has, and return the source."""
    columns = list(rows[0])
    file = folder / f"{name}.{kind}"
    if kind == "csv":
        lines = [",".join("" if row[key] is None else str(row[key]) for key in columns) for row in rows]
        file.write_text("\n".join([",".join(columns), *lines]) + "\n")
    elif kind == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif kind == "sqlite":
        with sqlite3.connect(file) as connection:
            connection.execute(f"CREATE TABLE t ({', '.join(columns)})")
            connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", [*map(tuple_of, rows)])
        return Source(name, path=f"sqlite:///{file}", format="database", database_table="t")
    else:
        return Source(name, table=pa.Table.from_pylist(rows))
    return Source(name, path=str(file))


def tuple_of(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row.values())


def read(source: Source, users: Source | None = None, items: Source = ITEMS, **options) -> Ingested:
    options = {"threads": 1, "split": "leave_one_out", "max_rejected_share": 0.9, **options}
    return ingest(source, items, users or Source.empty("raw_users"), **options)


def same_corpus(one: Ingested, other: Ingested) -> bool:
    return all(
        getattr(one, name).equals(getattr(other, name)) for name in ("interactions", "items", "users", "samples")
    )


@pytest.fixture(scope="module")
def plain() -> Ingested:
    return read(Source("raw_interactions", table=pa.Table.from_pylist(PLAIN)))


@pytest.mark.parametrize("kind", FORMATS)
def test_whole_numbers_with_a_fraction_of_zero_are_the_same_ids(kind, tmp_path, plain):
    rows = [{**row, "user_id": float(row["user_id"]), "item_id": float(row["item_id"])} for row in PLAIN]
    corpus = read(source_of(rows, kind, tmp_path))
    assert same_corpus(corpus, plain)
    written = {f"{name} written as in 7.0": len(PLAIN) for name in ("user_id", "item_id")}
    assert corpus.report["surprises"]["raw_interactions"] == (written if kind in ("csv", "jsonl") else {})


@pytest.mark.parametrize("kind", [pa.decimal128(10, 2), pa.decimal128(38, 18), pa.float32(), pa.uint64()])
def test_ids_of_any_numeric_type_match(kind, plain):
    table = pa.Table.from_pylist(PLAIN)
    for place, name in enumerate(("user_id", "item_id")):
        values = [decimal.Decimal(value) for value in table[name].to_pylist()]
        column = pa.array(values, kind) if pa.types.is_decimal(kind) else table[name].cast(kind)
        table = table.set_column(place, name, column)
    assert same_corpus(read(Source("raw_interactions", table=table)), plain)


def test_text_of_a_table_matches_numbers_however_it_is_spelled(plain):
    rows = [{**row, "item_id": f" {row['item_id']}.00 "} for row in PLAIN]
    assert same_corpus(read(source_of(rows, "memory", Path())), plain)


def test_profiles_and_items_match_however_their_ids_are_spelled(tmp_path):
    users = [{"user_id": f"{user}.0", "age": user} for user in range(N_USERS)]
    items = [{"item_id": f"{item}.0", "title": f"T{item}"} for item in range(N_ITEMS)]
    corpus = read(
        source_of(PLAIN, "csv", tmp_path),
        source_of(users, "csv", tmp_path, "raw_users"),
        source_of(items, "csv", tmp_path, "raw_items"),
    )
    assert corpus.users["age"].to_pylist() == [str(user) for user in range(N_USERS)]
    assert corpus.report["profiles"] == {"rows": N_USERS, "matched": N_USERS}
    assert corpus.items["raw_id"].to_pylist() == [str(item) for item in range(N_ITEMS)]
    assert not any("profile" in sentence for sentence in corpus.report["warnings"])


def test_profiles_that_match_nobody_are_a_warning(tmp_path, caplog):
    users = [{"user_id": f"u{user}", "age": user} for user in range(3)]
    with caplog.at_level(logging.WARNING):
        corpus = read(source_of(PLAIN, "memory", tmp_path), source_of(users, "csv", tmp_path, "raw_users"))
    assert corpus.report["profiles"] == {"rows": 3, "matched": 0}
    assert any(sentence.startswith("no profile matched any user") for sentence in corpus.report["warnings"])
    assert "no profile matched any user: none of the 3 rows" in caplog.text


def test_leading_zeros_and_points_of_text_stay(tmp_path):
    names = ["7", "007", "07.0", "2305.00440", "2305.0044", "1.5.2", "-0", "+7"]
    rows = [{**row, "user_id": names[row["user_id"] % len(names)]} for row in PLAIN]
    corpus = read(source_of(rows, "csv", tmp_path))
    assert sorted(corpus.users["raw_id"].to_pylist()) == sorted(names)


@pytest.mark.parametrize("kind", FORMATS)
def test_words_for_nothing_are_missing_ids_and_remain_titles(kind, tmp_path):
    words = [word for word in MISSING if word]
    rows = [{**row, "user_id": str(row["user_id"])} for row in PLAIN]
    bad = [{**PLAIN[0], "user_id": word} for word in words]
    items = [{"item_id": item, "title": words[item % len(words)]} for item in range(N_ITEMS)]
    corpus = read(source_of(rows + bad, kind, tmp_path), None, source_of(items, "memory", tmp_path, "raw_items"))
    assert corpus.report["rejected"]["raw_interactions"] == {"missing user_id": len(words)}
    assert set(corpus.users["raw_id"].to_pylist()) == {str(user) for user in range(N_USERS)}
    assert corpus.items["title"].to_pylist() == [row["title"] for row in items]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "memory"])
def test_words_for_nothing_are_missing_ratings_and_times(kind, tmp_path):
    rows = [{**row, "timestamp": str(row["timestamp"]), "rating": "NaN"} for row in PLAIN]
    rows[0]["rating"], rows[1]["timestamp"] = "4.5", "NaT"
    corpus = read(source_of(rows, kind, tmp_path))
    assert corpus.report["rejected"]["raw_interactions"] == {"missing timestamp": 1}
    assert [rating for rating in corpus.interactions["rating"].to_pylist() if rating] == [4.5]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (pa.array([1e18 + 4096.0 * row for row in range(60)]), "inexact"),
        (pa.array([2.0**53] * 60), "inexact"),
        (pa.array([float("inf")] * 60), "inexact"),
        (pa.array([2.0**24 + 2 * row for row in range(60)], pa.float32()), "inexact"),
        (pa.array(["1e+18"] * 60), "inexact"),
        (pa.array(["1.2345678901234568e+18"] * 60), "inexact"),
        (pa.array(["1.23E+12"] * 60), "inexact"),
        (pa.array(["9007199254740993.0"] * 60), "inexact"),
        (pa.array([row + 0.5 for row in range(60)]), "fractional"),
        (pa.array([decimal.Decimal("7.25")] * 60), "fractional"),
        (pa.array([b"\xff\xfe"] * 60), "unreadable"),
    ],
)
@pytest.mark.parametrize("name", ["user_id", "item_id"])
def test_numbers_that_are_no_ids_are_refused_for_what_they_are(values, reason, name):
    table = pa.Table.from_pylist(PLAIN)
    table = table.set_column(table.column_names.index(name), name, values)
    with pytest.raises(ValueError, match=rf"60 of 60 rows cannot be used: 60 {reason} {name} \(first in row 0\)"):
        read(Source("raw_interactions", table=table))


def test_bytes_that_are_text_are_that_text(plain):
    table = pa.Table.from_pylist(PLAIN)
    names = pa.array([f"ü{user:02d}".encode() for user in table["user_id"].to_pylist()])
    corpus = read(Source("raw_interactions", table=table.set_column(0, "user_id", names)))
    assert corpus.users["raw_id"].to_pylist() == [f"ü{user:02d}" for user in range(N_USERS)]
    assert corpus.interactions.equals(plain.interactions)


def test_large_integers_and_decimals_are_exact_ids():
    wide = [10**18 + row // N_EACH for row in range(60)]
    expected = [str(10**18 + user) for user in range(N_USERS)]
    for column in (
        pa.array(wide),
        pa.array([decimal.Decimal(v) for v in wide], pa.decimal128(30, 2)),
        pa.array(map(str, wide)),
    ):
        table = pa.Table.from_pylist(PLAIN).set_column(0, "user_id", column)
        assert read(Source("raw_interactions", table=table)).users["raw_id"].to_pylist() == expected


SPELLINGS = [
    "2020-01-31", "2020/01/31", "2020/1/31", "2020.01.31", "20200131", "2020-01-31T00:00:00Z", "2020-01-31 00:00",
    "20200131T000000", "20200131T000000Z", "20200131 0000", "20200131000000", "2020-01-31T02:00:00+02:00",
    "2020-01-30T19:00:00.000-0500", "2020-01-31 00:00:00 UTC", "2020-01-31T00:00:00.000000000Z", "1580428800",
    "1580428800.0", " 2020-01-31 ", "2020-01-31t00:00:00.000z",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "jsonl", "memory", "sqlite"])
def test_one_moment_is_one_time_however_it_is_spelled(kind, tmp_path):
    rows = [{"user_id": row // 4, "item_id": row % N_ITEMS, "timestamp": text} for row, text in enumerate(SPELLINGS)]
    corpus = read(source_of(rows, kind, tmp_path), min_history=0)
    assert set(corpus.interactions["timestamp"].to_pylist()) == {1_580_428_800_000}
    assert corpus.interactions.num_rows == len(SPELLINGS)
    assert corpus.report["surprises"]["raw_interactions"] == {"timestamp written as in 20200131": 2}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("times", [(20200131, 20200201, 20200202), (20200131101500, 20200201101500, 20200202101500)])
def test_numbers_whose_digits_are_dates_are_dates(kind, times, tmp_path):
    rows = [{"user_id": user, "item_id": item, "timestamp": times[item]} for user in range(3) for item in range(3)]
    corpus = read(source_of(rows, kind, tmp_path), min_history=0)
    first = 1_580_428_800_000 + (0 if times[0] < 10**9 else (10 * 60 + 15) * 60_000)
    assert corpus.interactions["timestamp"].to_pylist() == [first, first + DAY, first + 2 * DAY] * 3
    assert corpus.report["surprises"]["raw_interactions"] == {"timestamp written as in 20200131": 9}


def test_seconds_counted_from_some_start_are_no_dates():
    times = [20_000_000 + 7 * row for row in range(60)]
    table = pa.Table.from_pylist(PLAIN).set_column(2, "timestamp", pa.array(times))
    corpus = read(Source("raw_interactions", table=table))
    assert sorted(corpus.interactions["timestamp"].to_pylist()) == [time * 1000 for time in times]
    assert corpus.report["surprises"]["raw_interactions"] == {}


def test_a_unit_that_was_asked_for_makes_no_dates():
    table = pa.Table.from_pylist(PLAIN).set_column(2, "timestamp", pa.array([20200131] * 60))
    corpus = read(Source("raw_interactions", table=table), timestamp_unit="s")
    assert set(corpus.interactions["timestamp"].to_pylist()) == {20_200_131_000}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("01/02/2020", "ambiguous"), ("31.01.2020", "ambiguous"), ("1-2-20 10:00", "ambiguous"),
        ("2020-02-30", "unreadable"), ("20200230", "unreadable"), ("2020-01-31T25:00", "unreadable"),
        ("0000-00-00 00:00:00", "unreadable"), ("2020-01", "unreadable"), ("infinity", "unreadable"),
        ("2020-01-31T101", "unreadable"), ("1_600_000_000", "unreadable"), ("1600000000d", "unreadable"),
    ],
)  # fmt: skip
def test_what_is_no_time_or_two_is_set_apart(text, reason, tmp_path):
    rows = [{**row, "timestamp": str(row["timestamp"])} for row in PLAIN]
    rows[3]["timestamp"] = text
    corpus = read(source_of(rows, "csv", tmp_path))
    assert corpus.rejected_rows.to_pylist() == [
        {"source": "raw_interactions", "row": 3, "reason": f"{reason} timestamp"}
    ]


@pytest.mark.parametrize("split", ["leave_one_out", "per_user_time"])
def test_splits_within_users_say_that_validation_is_no_window_of_time(split, caplog):
    with caplog.at_level(logging.WARNING):
        report = read(Source("raw_interactions", table=pa.Table.from_pylist(PLAIN)), split=split).report
    assert any("no window of time, so that popular_recently" in sentence for sentence in report["warnings"])
    assert "no window of time" in caplog.text


def test_splits_by_the_clock_are_windows_of_time_and_warn_of_nothing():
    report = read(Source("raw_interactions", table=pa.Table.from_pylist(PLAIN)), split="global_time").report
    assert not any("window" in sentence for sentence in report["warnings"])


def test_test_users_without_any_history_are_a_warning():
    split = ["train", "valid", *["train"] * 38, *["test"] * 20]
    table = pa.Table.from_pylist(PLAIN).append_column("split", pa.array(split))
    report = read(Source("raw_interactions", table=table), split="given").report
    assert report["samples_without_history"] == {"valid": 0, "test": 4}
    assert any(sentence.startswith("4 of 4 test samples have no history") for sentence in report["warnings"])


@pytest.mark.parametrize("kind", ["csv", "memory"])
def test_a_value_that_its_type_cannot_hold_costs_its_row_only(tmp_path: Path, kind: str) -> None:
    rows = [row | {"rating": 1e300 if place == 3 else 4.0} for place, row in enumerate(PLAIN)]
    report = ingest(source_of(rows, kind, tmp_path), ITEMS, Source.empty("raw_users")).report
    assert report["rejected"]["raw_interactions"] == {"unreadable rating": 1}


def test_a_date_beyond_the_calendar_costs_its_row_only() -> None:
    days = [2_000_000_000 if place == 3 else 18_000 + place for place in range(len(PLAIN))]
    table = pa.Table.from_pylist(PLAIN).set_column(2, "timestamp", pa.array(days, pa.date32()))
    report = ingest(Source("raw_interactions", table=table), ITEMS, Source.empty("raw_users")).report
    assert report["rejected"]["raw_interactions"] == {"unreadable timestamp": 1}


def test_decimals_of_more_digits_than_engines_have_are_exact_or_refused(tmp_path: Path) -> None:
    users = pa.array([decimal.Decimal(row["user_id"]) for row in PLAIN], pa.decimal256(60, 5))
    table = pa.Table.from_pylist(PLAIN).set_column(0, "user_id", users)
    found = ingest(Source("raw_interactions", table=table), ITEMS, Source.empty("raw_users"))
    assert sorted(found.users["raw_id"].to_pylist(), key=int) == [str(user) for user in range(N_USERS)]
    pq.write_table(table, tmp_path / "log.parquet")
    with pytest.raises(ValueError, match="user_id holds decimals of more than 38 digits"):
        ingest(Source("raw_interactions", path=str(tmp_path / "log.parquet")), ITEMS, Source.empty("raw_users"))


def test_a_packed_table_of_text_is_read(tmp_path: Path) -> None:
    source_of(PLAIN, "csv", tmp_path)
    plain = (tmp_path / "raw_interactions.csv").read_bytes()
    with pa.CompressedOutputStream(str(tmp_path / "log.csv.zst"), "zstd") as stream:
        stream.write(plain)
    found = ingest(Source("raw_interactions", path=str(tmp_path / "log.csv.zst")), ITEMS, Source.empty("raw_users"))
    assert len(found.interactions) == len(PLAIN)


def test_ids_with_a_point_are_whole_and_rounded_ones_are_inexact(tmp_path: Path) -> None:
    rows = [row | {"user_id": f"{row['user_id']}."} for row in PLAIN]
    found = ingest(source_of(rows, "csv", tmp_path), ITEMS, Source.empty("raw_users"))
    assert found.users["raw_id"].to_pylist() == [str(user) for user in range(N_USERS)]
    rows[0]["user_id"] = "1.0000001E7"
    report = ingest(source_of(rows, "csv", tmp_path), ITEMS, Source.empty("raw_users")).report
    assert report["rejected"]["raw_interactions"] == {"inexact user_id": 1}
