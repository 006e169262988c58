"""Tensors that a node yields piece by piece."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from kedro.io import DatasetError
from kedro_datasets._typing import JSONPreview

from coresift.datasets.located_dataset import LocatedDataset
from coresift.storage import Shards, Tensors, describe_tensors, discard_left_overs, fresh_folder, work_root

if TYPE_CHECKING:
    from torch import Tensor


class ShardedTensorDataset(LocatedDataset["Mapping[str, Tensor] | Path", Tensors]):
    """Appends pieces of rows until the announced number is there; only then does the dataset exist.

    A piece is a :class:`~coresift.storage.Tensors` whose metadata holds ``total_rows``, the number of rows that the
    whole will have. The pieces grow in a fresh work folder that no other dataset object shares. A node that must
    survive being killed writes its own :class:`~coresift.storage.Shards` and returns the folder's path instead.

    Example:
        .. code-block:: yaml

            gradient_features:
              type: coresift.datasets.ShardedTensorDataset
              filepath: data/feature/gradient_features
              versioned: true
    """

    _draft: Path | None = None
    _work: ExitStack | None = None

    def save(self, data: Mapping[str, Tensor] | Path) -> None:
        """Append one piece, or move in a finished folder of shards.

        Raises:
            DatasetError: If a piece does not announce the total, or more rows come than announced.
        """
        if isinstance(data, Path):
            self._target.save_folder(data)
            return
        total = data.metadata.get("total_rows") if isinstance(data, Tensors) else None
        if total is None:
            raise DatasetError("a piece of a sharded dataset must carry 'total_rows' in its metadata")
        self._draft = self._draft or self._empty_draft()
        shards = Shards(self._draft)
        shards.append(data)
        self._publish_if_whole(shards, int(total))

    def load(self) -> Tensors:
        """Read and join every shard."""
        return Shards(self._source.local_copy()).load()

    def preview(self) -> JSONPreview:
        """Return number of shards, and types and shapes of the first, for kedro-viz."""
        files = Shards(self._source.local_copy()).files
        return JSONPreview(json.dumps({"shards": len(files), **describe_tensors(files[0])}))

    def _publish_if_whole(self, shards: Shards, total: int) -> None:
        rows = sum(len(next(iter(part.values()))) for part in shards.parts())
        if rows < total:
            return
        try:
            if rows > total:
                raise DatasetError(f"'{self._filepath}' announced {total} rows but received {rows}: nothing was saved")
            self._target.save_folder(shards.folder)
        finally:
            self._close_draft()

    def resolve_load_version(self) -> str | None:
        """Return the version to load; while pieces arrive, the version they go to."""
        return self.resolve_save_version() if self._draft else super().resolve_load_version()

    def _clear_version_cache(self) -> None:
        if not self._draft:
            super()._clear_version_cache()

    def _empty_draft(self) -> Path:
        """Return a new work folder on the disk of the target, or on this machine's where the target is remote."""
        work = work_root(str(self._filepath.parent) if self._protocol == "file" else f"{self._protocol}://")
        prefix = f"{self._filepath.name}-"
        discard_left_overs(work, prefix)
        self._work = ExitStack()
        return self._work.enter_context(fresh_folder(work, prefix)) / "shards"

    def _close_draft(self) -> None:
        self._draft = None
        if self._work is not None:
            self._work.close()
