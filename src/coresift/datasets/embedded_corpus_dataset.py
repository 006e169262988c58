"""The simulated shop that ships with the project, as raw data that always exists."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    from coresift.corpus import EmbeddedCorpus, Source

RawTable = Literal["interactions", "items", "users"]


class EmbeddedCorpusDataset(AbstractDataset[None, "Source"]):
    """Loads one raw table of :func:`coresift.corpus.embedded_corpus`; equal seeds and sizes give matching tables.

    Args:
        table: Which raw table.
        seed: Seed of the simulation.
        n_users: Number of users.
        n_items: Number of items.
        metadata: Kept untouched for plugins such as kedro-viz.

    Example:
        .. code-block:: yaml

            raw_items:
              type: coresift.datasets.EmbeddedCorpusDataset
              table: items
              seed: 0
    """

    def __init__(
        self,
        *,
        table: RawTable,
        seed: int = 0,
        n_users: int = 2000,
        n_items: int = 600,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._table = table
        self._shape = (seed, n_users, n_items)
        self.metadata = metadata

    def load(self) -> Source:
        """Simulate the shop (once per process) and return the table."""
        from coresift.corpus import Source

        table = getattr(_simulated(*self._shape), self._table)
        return Source(name=f"raw_{self._table}", table=table)

    def save(self, data: None) -> NoReturn:
        """Refuse: the corpus is simulated.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError("the embedded corpus is simulated and is never written")

    def identity(self, run: str) -> object:
        """Return what stands for the corpus in a lineage: its seed and its size."""
        return self._shape

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        seed, n_users, n_items = self._shape
        return {"table": self._table, "seed": seed, "n_users": n_users, "n_items": n_items}


@lru_cache(maxsize=1)
def _simulated(seed: int, n_users: int, n_items: int) -> EmbeddedCorpus:
    from coresift.corpus import embedded_corpus

    return embedded_corpus(seed=seed, n_users=n_users, n_items=n_items)
