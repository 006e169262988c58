"""Raw tables of any origin, handed to ingestion as a description of where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    from coresift.corpus import Source


class SourceDataset(AbstractDataset[None, "Source"]):
    """Loads a :class:`~coresift.corpus.Source`; ingestion opens it with the run's engine.

    Args:
        filepath: Path or URL of the raw file, or of the folder or zip archive of a release; address of a database.
        name: Name of the raw table, for messages.
        format: See :class:`~coresift.corpus.Source`; the file's name tells it unless given.
        part: Which table of a release: interactions, items or users.
        columns: Renames columns: the project's name to the file's name.
        delimiter: Of CSV; the header tells it unless given.
        quote: Of CSV: what may stand around values; an empty text if nothing does.
        escape: Of CSV: what takes the meaning of the mark behind it, such as a backslash.
        checksum: What a download must hash to, as ``sha256:<digits>``.
        cache: Folder of downloads; the user's cache folder unless given.
        database_table: Table of a database whose address is ``filepath``.
        optional: A file that does not exist, here or behind its URL, stands for an empty table.
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
        format: str | None = None,
        part: str | None = None,
        columns: dict[str, str] | None = None,
        delimiter: str | None = None,
        quote: str = '"',
        escape: str | None = None,
        checksum: str | None = None,
        cache: str | None = None,
        database_table: str | None = None,
        optional: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = _text("filepath", filepath)
        self._name = _text("name", name)
        self._reading: dict[str, Any] = {
            "format": format,
            "part": part,
            "columns": columns and {own: _text(f"columns.{own}", other) for own, other in columns.items()},
            "delimiter": delimiter if delimiter is None else _text("delimiter", delimiter),
            "quote": quote,
            "escape": escape,
            "checksum": checksum,
            "cache": cache if cache is None else _text("cache", cache),
            "database_table": database_table if database_table is None else _text("database_table", database_table),
        }
        self._optional = optional
        self.metadata = metadata

    def load(self) -> Source:
        """Return the description of the file."""
        from coresift.corpus import Source

        return Source(name=self._name, path=self._filepath, optional=self._optional, **self._reading)

    def save(self, data: None) -> NoReturn:
        """Refuse: raw data is only read.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"'{self._name}' is raw data and is never written")

    def identity(self, run: str) -> object:
        """Return what stands for the raw content in a lineage: the content of files, a checksum, else the run."""
        from coresift.corpus.sources.addresses import local_path
        from coresift.storage import fingerprint

        scheme, _, file = self._filepath.partition("://")
        location = file if scheme in ("sqlite", "duckdb") and Path(file).is_file() else local_path(self._filepath)
        if "://" in location:
            return self._reading if self._reading["checksum"] else run
        place = Path(location)
        if not place.exists():
            return None
        files = [place] if place.is_file() else sorted(file for file in place.iterdir() if file.is_file())
        return fingerprint(self._reading, [file.name for file in files], files)

    def _exists(self) -> bool:
        """Tell whether the file is on this machine; what lies elsewhere is looked for when it is read."""
        from coresift.corpus.sources.addresses import is_url, local_path

        return self._optional or is_url(self._filepath) or Path(local_path(self._filepath)).exists()

    def _describe(self) -> dict[str, Any]:
        from coresift.corpus.sources.addresses import masked

        return {"filepath": masked(self._filepath), "name": self._name, "optional": self._optional, **self._reading}


def _text(argument: str, value: object) -> str:
    """Return a name as text, also where a catalog holds a whole number, such as a year or a column of no header.

    Raises:
        DatasetError: If the catalog holds something else that was a name before it was read.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | os.PathLike):
        raise DatasetError(f"'{argument}' is {value!r} in the catalog, which is no text: put it into quotes")
    return str(value)
