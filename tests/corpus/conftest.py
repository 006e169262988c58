from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from coresift.corpus import Ingested, Source, ingest
from coresift.corpus.engines.duckdb_engine import open_duckdb
from coresift.corpus.engines.engine import Engine

Row = dict[str, object]


@pytest.fixture(params=["duckdb", "spark"], scope="module")
def engine(request) -> Iterator[Engine]:
    """Each engine in turn; Spark where it is installed."""
    if request.param == "duckdb":
        with open_duckdb(threads=1) as opened:
            yield opened
        return
    pytest.importorskip("pyspark", reason="PySpark is not installed")
    from coresift.corpus.engines.spark_engine import open_spark

    with open_spark(threads=1) as opened:
        yield opened


@pytest.fixture
def ingest_rows() -> Callable[..., Ingested]:
    """Ingest interactions given as dictionaries; the catalogue holds every item that occurs unless given."""

    def run(interactions: list[Row], items: list[Row] | None = None, users: list[Row] | None = None, **options):
        seen = sorted({row["item_id"] for row in interactions if row["item_id"] is not None}, key=str)
        items = [{"item_id": item, "title": f"Title {item}"} for item in seen] if items is None else items
        return ingest(
            Source("raw_interactions", table=pa.Table.from_pylist(interactions)),
            Source("raw_items", table=pa.Table.from_pylist(items)),
            Source("raw_users", table=pa.Table.from_pylist(users)) if users else Source.empty("raw_users"),
            **{"threads": 1, "max_rejected_share": 1.0, **options},
        )

    return run


@pytest.fixture
def sequences() -> Callable[..., list[Row]]:
    """Turn ``{user: [items in order]}`` into interactions one hour apart, user after user in every round."""

    def make(by_user: dict[object, list[object]]) -> list[Row]:
        rounds = max(len(items) for items in by_user.values())
        rows = [
            {"user_id": user, "item_id": items[turn]}
            for turn in range(rounds)
            for user, items in by_user.items()
            if turn < len(items)
        ]
        return [{**row, "timestamp": 1_700_000_000_000 + hour * 3_600_000} for hour, row in enumerate(rows)]

    return make
