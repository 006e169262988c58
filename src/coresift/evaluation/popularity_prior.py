"""The recent-popularity prior: what anyone is likely to want now, added to what fits this user.

A recommender trained against sampled negatives learns how well an item fits a user, not how often it is wanted. With
the log-probability of a softmax over user and item as the first term and the log-frequency of the item in the latest
window as the second, the sum is a posterior up to a constant.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from coresift.ranking import ranking_metrics, remove_seen_targets, top_items_from
from coresift.recommenders import ScoreBlock
from coresift.storage import VALID

logger = logging.getLogger(__name__)

CHOSEN_BY, LIST_LENGTH = "ndcg@20", 20
"""The metric that weight and smoothing are chosen by, and the length of the lists it needs."""
GRIDS = {
    "weight": (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0),
    "smoothing": (0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 3.0),
    "surrogate_weight": (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0),
}
ROUNDS = 3


@dataclass(frozen=True)
class PopularityPrior:
    """Strength of the terms that are added to a recommender's logits.

    Attributes:
        weight: Factor of the logarithm.
        smoothing: Added to the count of every item, so that items not seen lately stay possible.
        surrogate_weight: Factor of the surrogate's logits.
    """

    weight: float = 2.0
    smoothing: float = 0.3
    surrogate_weight: float = 0.0

    def add_to(self, logits: Tensor, counts: Tensor, surrogate_logits: Tensor | None = None) -> Tensor:
        """Return ``logits + weight * log(counts + smoothing) + surrogate_weight * surrogate_logits``.

        Args:
            logits: (b, M) similarity divided by the temperature, or a log-probability.
            counts: (M,) or (b, M) interactions in the latest window before the prediction.
            surrogate_logits: (b, M), read only where ``surrogate_weight`` is not 0.
        """
        total = logits + self.weight * torch.log(counts + self.smoothing).to(logits.device)
        if self.surrogate_weight and surrogate_logits is not None:
            total = total + self.surrogate_weight * surrogate_logits.to(total.device)
        return total


@dataclass(frozen=True)
class PriorTuning:
    """Validation users on whom a prior is chosen, and the counts that each of them may see.

    Attributes:
        samples: V validation rows of ``samples``, ordered by ``sample_id``.
        half: (V,) 0 or 1, the half a user belongs to.
        half_counts: (2, M) counts in the latest window that the users of a half see: those of the other half's users.
        counts: (M,) counts of the whole window, for the predictions after it.
    """

    samples: pa.Table
    half: Tensor
    half_counts: Tensor
    counts: Tensor

    def choose(self, logits: ScoreBlock, surrogate_logits: ScoreBlock | None = None) -> PopularityPrior:
        """Choose the prior's terms by the mean NDCG of the validation users, one term at a time, history masked.

        A grid over each term in turn, from the defaults, until a round changes nothing. Equal values keep the first.

        Args:
            logits: Scores of the validation users in ``samples``.
            surrogate_logits: The surrogate's scores of the same users; None leaves its term out.
        """
        best, value = PopularityPrior(), self.value(PopularityPrior(), logits, surrogate_logits)
        terms = [name for name in GRIDS if name != "surrogate_weight" or surrogate_logits is not None]
        for _ in range(ROUNDS):
            before = best
            for term in terms:
                for candidate in (replace(best, **{term: level}) for level in GRIDS[term]):
                    reached = self.value(candidate, logits, surrogate_logits)
                    if reached > value:
                        best, value = candidate, reached
            if best == before:
                break
        logger.info("Popularity prior, %s %.4f on %d users: %s.", CHOSEN_BY, value, len(self.half), asdict(best))
        return best

    def value(self, prior: PopularityPrior, logits: ScoreBlock, surrogate_logits: ScoreBlock | None = None) -> float:
        """Return the mean NDCG of the validation users under a prior."""

        def scores(block: slice) -> Tensor:
            extra = surrogate_logits(block) if surrogate_logits is not None and prior.surrogate_weight else None
            return prior.add_to(logits(block), self.half_counts[self.half[block]], extra)

        histories = self.samples["history"]
        lists, _ = top_items_from(scores, len(self.half), LIST_LENGTH, seen=histories)
        targets, _ = remove_seen_targets(self.samples["targets"], histories)
        return float(np.nanmean(ranking_metrics(lists, targets, (LIST_LENGTH,))[CHOSEN_BY]))


def prior_tuning(
    samples: pa.Table, interactions: pa.Table, n_items: int, *, n_users: int, random_state: int = 0
) -> PriorTuning | None:
    """Draw validation users at random, halve them, and count the window that each half may see.

    Args:
        samples: Table ``samples``.
        interactions: Table ``interactions``.
        n_items: Catalogue size M.
        n_users: Most validation users whose lists are made; the counts come from all of them. 0 gives None.
        random_state: Seed of the halves and of the draw.

    Raises:
        ValueError: If there are fewer than two validation samples.
    """
    if n_users == 0:
        return None
    rows = samples.filter(pc.equal(samples["split"], VALID))
    if len(rows) < 2:
        raise ValueError("the popularity prior needs two validation samples: set evaluation.prior_users to 0")
    generator = np.random.default_rng(random_state)
    users, user = np.unique(np.asarray(rows["user_id"]), return_inverse=True)
    half_of_user = generator.permutation(len(users)) % 2
    half = half_of_user[user]
    window = interactions.filter(pc.equal(interactions["split"], VALID))
    owner = pc.index_in(window["user_id"], value_set=pa.array(users))
    owners, items = np.asarray(owner.fill_null(-1)), np.asarray(window["item_id"], dtype=np.int64)
    other = [items[(owners >= 0) & (half_of_user[owners] != side)] for side in (0, 1)]
    drawn = np.sort(generator.permutation(len(rows))[:n_users])
    return PriorTuning(
        rows.take(drawn),
        torch.from_numpy(half[drawn]),
        torch.stack([item_counts(seen, n_items) for seen in other]),
        item_counts(items, n_items),
    )


def item_counts(items: np.ndarray, n_items: int) -> Tensor:
    """Return how often every item occurs (M,) float32."""
    return torch.from_numpy(np.bincount(items, minlength=n_items)).float()
