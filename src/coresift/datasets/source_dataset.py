"""Raw tables of any origin, handed to ingestion as a description of where they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    from coresift.corpus import Source


class SourceDataset(AbstractDataset[None, "Source"]):
    """Loads a :class:`~coresift.corpus.Source`; ingestion opens it with the run's engine.

    Args:
        filepath: Path of the raw file.
        name: Name of the raw table, for messages.
        columns: Renames columns: the project's name to the file's name.
        optional: A missing file stands for an empty table.
        metadata: Kept untouched for plugins such as kedro-viz.

    Example:
        .. code-block:: yaml

            raw_interactions:
              type: coresift.datasets.SourceDataset
              name: raw_interactions
              filepath: raw/interactions.parquet
              columns: {user_id: reviewer}
    """

    def __init__(
        self,
        *,
        filepath: str,
        name: str,
        columns: dict[str, str] | None = None,
        optional: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = filepath
        self._name = name
        self._columns = columns
        self._optional = optional
        self.metadata = metadata

    def load(self) -> Source:
        """Return the description of the file."""
        import pyarrow as pa

        from coresift.corpus import Source

        if self._optional and not Path(self._filepath).exists():
            return Source(name=self._name, table=pa.table({"user_id": pa.array([], pa.string())}))
        return Source(name=self._name, path=self._filepath, columns=self._columns)

    def save(self, data: None) -> NoReturn:
        """Refuse: raw data is only read.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"'{self._name}' is raw data and is never written")

    def _exists(self) -> bool:
        return self._optional or Path(self._filepath).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "name": self._name, "columns": self._columns, "optional": self._optional}
