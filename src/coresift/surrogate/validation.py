"""Validation of the surrogate: the ranking protocol on the users of the validation split."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from coresift.ranking import ranking_metrics, remove_seen_targets, top_items
from coresift.storage import VALID
from coresift.surrogate.sasrec import SasRec


class Validation:
    """Ranks the whole catalogue for validation users, with their history masked."""

    def __init__(self, samples: pa.Table, limit: int, random_state: int) -> None:
        """Choose the users.

        Args:
            samples: Table `samples`.
            limit: Users at most, drawn by `random_state` where there are more.
            random_state: Seed of the draw.

        Raises:
            ValueError: There is no validation sample, or none with a target outside its history.
        """
        rows = np.flatnonzero(np.asarray(pc.equal(samples["split"], VALID)))
        if len(rows) == 0:
            raise ValueError("samples has no validation row, on which the surrogate stops: widen the validation split.")
        if len(rows) > limit:
            rows = np.sort(np.random.default_rng(random_state).choice(rows, size=limit, replace=False))
        chosen = samples.take(pa.array(rows))
        self.histories = chosen["history"]
        self.targets, n_seen = remove_seen_targets(chosen["targets"], self.histories)
        if len(self.targets.values) == 0:
            raise ValueError(f"all {n_seen} validation targets lie in the users' histories: check the split settings.")

    def measure(self, model: SasRec) -> tuple[float, float]:
        """Return mean NDCG@10 and recall@10."""
        vectors = model.item_vectors.detach().float().cpu()
        ids, _ = top_items(model.encode(self.histories), vectors, 10, seen=self.histories)
        metrics = ranking_metrics(ids, self.targets, ks=(10,))
        return float(np.nanmean(metrics["ndcg@10"])), float(np.nanmean(metrics["recall@10"]))
