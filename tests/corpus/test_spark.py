"""Spark and DuckDB give the same corpus, row for row, and nothing passes through Spark's driver."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from coresift.corpus import IngestionOptions, Source, embedded_corpus, ingest, ingest_to_files

pytest.importorskip("pyspark", reason="PySpark is not installed")

TABLES = ("interactions", "items", "users", "samples", "rejected_rows")


@pytest.fixture(scope="module")
def session() -> Iterator[object]:
    """A session of this module, whose driver takes no results above one megabyte."""
    from coresift.corpus.engines.spark_engine import open_spark

    with open_spark(threads=2, settings={"spark.driver.maxResultSize": "1m"}) as engine:
        yield engine


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """The embedded shop, its items as CSV, so that both engines read what the project staged."""
    raw = embedded_corpus(n_users=120, n_items=80)
    items = tmp_path_factory.mktemp("raw") / "items.csv"
    rows = raw.items.to_pylist()
    text = "".join(f'{row["item_id"]},"{(row["title"] or "").replace(chr(34), chr(34) * 2)}"\n' for row in rows)
    Path(items).write_text("item_id,title\n" + text)
    return [
        Source("raw_interactions", table=raw.interactions),
        Source("raw_items", path=str(items)),
        Source("raw_users", table=raw.users),
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"samples": "sliding_window", "max_history": 5, "k_core": 2},
        {"samples": "click", "negatives": 2, "max_history": 3, "split": "per_user_time", "seed": 3},
    ],
)
def test_both_engines_agree_row_for_row(session, sources, options):
    duckdb, spark = (ingest(*sources, engine=engine, threads=2, **options) for engine in ("duckdb", "spark"))
    for name in TABLES:
        assert getattr(spark, name).equals(getattr(duckdb, name)), name
    assert spark.report == duckdb.report


def test_key_and_value_in_the_names_of_folders_mean_nothing(session, tmp_path):
    raw, output = tmp_path / "item_id=3", tmp_path / "user_id=7"
    raw.mkdir()
    log = [{"user_id": user, "item_id": item, "timestamp": 10 * item + user} for user in range(3) for item in range(4)]
    pq.write_table(pa.Table.from_pylist(log), raw / "log.parquet")
    sources = (
        Source("raw_interactions", path=str(raw / "log.parquet")),
        Source("raw_items", table=pa.table({"item_id": range(4), "title": list("abcd")})),
        Source("raw_users", table=pa.table({"user_id": range(3), "user": list("xyz"), "source_row": [2, 0, 1]})),
    )
    options = IngestionOptions(engine="spark", split="leave_one_out", threads=2)
    for _ in range(2):  # the second call replaces folders
        report = ingest_to_files(*sources, output, options)
    assert report["rows"]["without_repeats"] == 12
    users = ds.dataset(output / "users.parquet", format="parquet").to_table().to_pydict()
    assert users["raw_id"] == ["0", "1", "2"]
    assert (users["user"], users["source_row"]) == (list("xyz"), [2, 0, 1])
    assert sorted(path.name for path in output.iterdir()) == sorted(f"{name}.parquet" for name in TABLES)


def test_a_session_of_another_thread_is_used_beside_and_left_as_it_is(session):
    from pyspark.sql import SparkSession

    from coresift.corpus.engines.spark_engine import open_spark

    other = SparkSession.builder.getOrCreate()
    settings = {"spark.sql.session.timeZone": "Asia/Tokyo", "spark.sql.shuffle.partitions": "5"}
    earlier = {name: other.conf.get(name) for name in settings}
    for name, value in settings.items():
        other.conf.set(name, value)

    def seen_elsewhere() -> list[str]:
        wanted = {"spark.sql.shuffle.partitions": "3", "spark.master": "local[1]"}
        with open_spark(threads=1, settings=wanted) as engine:
            return [engine.connection._session.conf.get(name) for name in settings]

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(seen_elsewhere).result() == ["UTC", "3"]
    assert {name: other.conf.get(name) for name in settings} == settings
    assert other.range(3).count() == 3
    for name, value in earlier.items():
        other.conf.set(name, value)


def test_tables_are_written_into_a_folder_of_any_name(session, sources, tmp_path):
    for name in ("plain", 'it\'s [1] {a,b} *? "q" \\ 50%20: #x'):
        ingest_to_files(*sources, tmp_path / name, IngestionOptions(engine="spark", threads=2))
    for table in TABLES:
        plain, odd = (pa.concat_tables(tables(folder, table)) for folder in sorted(tmp_path.iterdir()))
        assert plain.equals(odd), table


def tables(folder: Path, name: str) -> list[pa.Table]:
    return [pq.read_table(file) for file in sorted((folder / f"{name}.parquet").glob("*.parquet"))]
