"""Spark, in this machine's processes or on a cluster; steps are parquet folders, and no rows reach the driver."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from coresift.corpus.engines.engine import WORK_PREFIX, Engine
from coresift.corpus.engines.staging import SOURCE_ROW
from coresift.storage import fresh_folder

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_ALWAYS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.adaptive.autoBroadcastJoinThreshold": "-1",
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.caseSensitive": "true",
}
"""A table that is broadcast passes through the driver, so that joins never do it; columns that nobody reads may differ
in case only."""

_LITERAL_PATH = {"__globPaths__": "false"}
"""Spark takes [ ] { } * ? in a path for a pattern otherwise."""

_DEFAULTS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "16",
    "spark.log.level": "ERROR",
}


class SparkEngine(Engine):
    """Computes in a Spark session; every step is written to a folder that all its machines must reach."""

    def __init__(self, session: SparkSession, folder: Path) -> None:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        super().__init__(ibis.pyspark.connect(session), folder)
        self.errors = (PySparkException, Py4JError)
        self._session = session

    def materialize(self, expression: ir.Table) -> ir.Table:
        """Compute an expression once and return the result as a table of the session."""
        step = self.folder / self.next_name()
        self.connection.to_parquet(expression, str(step))
        return self.parquet_file(str(step))

    def parquet_file(self, file: str) -> ir.Table:
        """Return the rows of one parquet file or of a folder that Spark wrote."""
        return self._viewed(self._frame(file))

    def numbered_file(self, file: str) -> ir.Table:
        """Return the rows of one parquet file, numbered."""
        return self._viewed(self._frame(file).selectExpr("*", f"_metadata.row_index AS {SOURCE_ROW}"))

    def _frame(self, file: str) -> DataFrame:
        """Return what is at a path, to the letter."""
        return self._session.read.options(**_LITERAL_PATH).parquet(os.path.abspath(file))

    def _viewed(self, frame: DataFrame) -> ir.Table:
        """Return a frame as a table of the session."""
        view = self.next_name()
        frame.createOrReplaceTempView(view)
        return self.connection.table(view)


@contextmanager
def open_spark(
    *,
    threads: int = 0,
    memory_limit: str | None = None,
    settings: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Engine]:
    """Open a Spark session for the length of a ``with`` block; beside one of this process, whose Spark is left running.

    Args:
        threads: Threads of a local session; 0 uses every core.
        memory_limit: Memory of a local session, such as ``"4GB"``.
        settings: Further settings, such as ``spark.master`` for a cluster; of a Spark that runs already only those
            of a session count.
        folder: Where a temporary folder for steps is made, which every machine of a cluster must reach.

    Yields:
        The engine.

    Raises:
        ValueError: If PySpark or Java is missing.
    """
    session, is_own = _session(threads, memory_limit, settings or {})
    with fresh_folder(folder, WORK_PREFIX) as work:
        try:
            yield SparkEngine(session, work)
        finally:
            if is_own:
                session.stop()


def _session(threads: int, memory_limit: str | None, settings: Mapping[str, str]) -> tuple[SparkSession, bool]:
    """Return a session of our own, and whether its Spark is ours too."""
    try:
        from pyspark import SparkContext
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ValueError("ingestion.engine = spark needs PySpark: pip install 'coresift[spark]'.") from error
    # Sessions that are active are those of one thread; the context is the whole process's.
    if SparkContext._active_spark_context is not None:
        return _beside(SparkSession.builder.getOrCreate(), settings), False
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    chosen = {"spark.master": f"local[{threads or '*'}]", **_DEFAULTS}
    if memory_limit is not None:
        chosen["spark.driver.memory"] = memory_limit.replace(" ", "").removesuffix("B").removesuffix("i").lower()
    builder = SparkSession.builder.appName("coresift")
    for name, value in {**chosen, **settings, **_ALWAYS}.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate(), True
    except PySparkException as error:
        raise ValueError(f"Spark does not start ({str(error).splitlines()[0]}): install Java 17 or newer.") from error


def _beside(session: SparkSession, settings: Mapping[str, str]) -> SparkSession:
    """Return a session on the same Spark, with settings and views of its own, so that the other one keeps its own."""
    other = session.newSession()
    for name, value in {**settings, **_ALWAYS}.items():
        if other.conf.isModifiable(name):
            other.conf.set(name, value)
    return other
