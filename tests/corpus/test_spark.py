"""Spark and DuckDB give the same corpus, row for row, and nothing passes through Spark's driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coresift.corpus import Source, embedded_corpus, ingest

pytest.importorskip("pyspark", reason="PySpark is not installed")

TABLES = ("interactions", "items", "users", "samples", "rejected_rows")


@pytest.fixture(scope="module")
def session() -> Iterator[object]:
    """A session of this module, whose driver takes no results above one megabyte."""
    from coresift.corpus.spark_engine import open_spark

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
