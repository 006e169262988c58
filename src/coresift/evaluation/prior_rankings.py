"""Rankings with the recent-popularity prior, as methods of their own beside the bare ones."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.evaluation.methods import (
    check_same_surrogate,
    method_table,
    prompts_with_histories,
    rank_recommender,
    rank_surrogate,
    samples_to_test,
    surrogate_items,
    surrogate_states_of,
)
from coresift.evaluation.popularity_prior import PopularityPrior, PriorTuning
from coresift.evaluation.summary import PRIOR_SUFFIX, SURROGATE_SUFFIX
from coresift.ranking import top_items_from
from coresift.recommenders import Recommender, ScoreBlock

logger = logging.getLogger(__name__)

Chosen: TypeAlias = list[dict[str, Any]]
"""One entry per method with a prior: its name, the terms chosen, and on how many validation users."""


def rank_with_priors(
    recommender: Recommender,
    prompts: pa.Table,
    samples: pa.Table,
    *,
    method: str,
    k: int,
    tuning: PriorTuning | None,
    surrogate: SurrogateScores | None = None,
) -> tuple[pa.Table, Chosen]:
    """Rank the catalogue for every test user: bare, and with the priors that were chosen on validation users.

    A recommender without a score for every item is ranked bare only.

    Args:
        recommender: A recommender, tuned or not.
        prompts: Table ``prompts``.
        samples: Table ``samples``.
        method: Name of the bare method; the others add a suffix to it.
        k: Length of every list.
        tuning: Validation users and counts; None ranks bare only.
        surrogate: Adds a method with the surrogate's scores as a third term.

    Returns:
        The table method, masked, sample_id, items, scores, and the terms chosen.
    """
    if tuning is None or not recommender.scores_items:
        return rank_recommender(recommender, prompts, samples, method=method, k=k), []
    users = samples_to_test(samples)
    logger.info("Ranking the catalogue for %d test users, bare and with priors: %s.", len(users), method)
    everybody = pa.concat_tables([part.select(["sample_id", "history"]) for part in (users, tuning.samples)])
    logits = recommender.item_logits(prompts_with_histories(everybody, prompts))
    return _all_kinds(users, logits, method=method, k=k, tuning=tuning, surrogate=surrogate)


class SurrogateScores:
    """The surrogate's logits of any samples, joined by ``sample_id``.

    Args:
        surrogate_states: Tensors ``sample_id`` and ``state``.
        item_vectors: Tensors ``item_id`` and ``vector``.
        n_items: Catalogue size M; None takes as many as there are vectors.

    Raises:
        ValueError: If an item has no vector, or several.
    """

    def __init__(
        self, surrogate_states: dict[str, Tensor], item_vectors: dict[str, Tensor], n_items: int | None = None
    ) -> None:
        self.surrogate_states = surrogate_states
        self.items = surrogate_items(item_vectors, n_items)

    def of(self, users: pa.Table) -> ScoreBlock:
        """Return what maps a slice of the users to logits (b, M)."""
        states = surrogate_states_of(users, self.surrogate_states)
        return lambda block: states[block] @ self.items.T


def rank_surrogate_with_prior(
    samples: pa.Table,
    surrogate_states: dict[str, Tensor],
    item_vectors: dict[str, Tensor],
    *,
    k: int,
    tuning: PriorTuning | None,
    n_items: int | None = None,
) -> tuple[pa.Table, Chosen]:
    """Rank the catalogue with the surrogate, bare and with a prior; see :func:`rank_with_priors`."""
    if tuning is None:
        return rank_surrogate(samples, surrogate_states, item_vectors, k=k, n_items=n_items), []
    check_same_surrogate(surrogate_states, item_vectors)
    users = samples_to_test(samples)
    everybody = pa.concat_tables([part.select(["sample_id"]) for part in (users, tuning.samples)])
    logits = SurrogateScores(surrogate_states, item_vectors, n_items).of(everybody)
    return _all_kinds(users, logits, method="surrogate", k=k, tuning=tuning, surrogate=None)


def _all_kinds(
    users: pa.Table,
    logits: ScoreBlock,
    *,
    method: str,
    k: int,
    tuning: PriorTuning,
    surrogate: SurrogateScores | None,
) -> tuple[pa.Table, Chosen]:
    """Rank bare, with a prior, and with a prior and the surrogate where it is given.

    ``logits`` scores the test users and after them the validation users of ``tuning``.
    """
    tuned_on = _from(logits, len(users))
    kinds: list[tuple[str, SurrogateScores | None]] = [(PRIOR_SUFFIX, None)]
    kinds += [(PRIOR_SUFFIX + SURROGATE_SUFFIX, surrogate)] if surrogate is not None else []
    tables, chosen = [_masked_and_unmasked(users, logits, method, k)], []
    for suffix, helper in kinds:
        prior = tuning.choose(tuned_on, helper.of(tuning.samples) if helper else None)
        scores = _added(prior, logits, tuning, helper.of(users) if helper else None)
        tables.append(_masked_and_unmasked(users, scores, method + suffix, k))
        chosen.append({"method": method + suffix, **asdict(prior), "validation_users": len(tuning.samples)})
    return pa.concat_tables(tables), chosen


def _masked_and_unmasked(users: pa.Table, scores: ScoreBlock, method: str, k: int) -> pa.Table:
    return method_table(
        lambda rows, length: top_items_from(_at(scores, rows), len(rows), length), users, method, k
    )  # fmt: skip


def _at(scores: ScoreBlock, rows: NDArray[np.int64]) -> ScoreBlock:
    """Scores of some users, whose positions ascend."""

    def block(part: slice) -> Tensor:
        runs = np.split(rows[part], np.flatnonzero(np.diff(rows[part]) > 1) + 1)
        parts = [scores(slice(int(run[0]), int(run[-1]) + 1)) for run in runs]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    return block


def _from(logits: ScoreBlock, start: int) -> ScoreBlock:
    return lambda block: logits(slice(block.start + start, block.stop + start))


def _added(prior: PopularityPrior, logits: ScoreBlock, tuning: PriorTuning, helper: ScoreBlock | None) -> ScoreBlock:
    return lambda block: prior.add_to(logits(block), tuning.counts, helper and helper(block))
