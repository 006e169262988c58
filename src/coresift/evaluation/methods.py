"""Every method that is compared, ranked for the same test users."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.evaluation.baselines import item_knn, most_popular, popular_recently
from coresift.evaluation.masked_lists import method_rankings_of, rank_in_groups, rankings_table
from coresift.evaluation.options import EvaluationOptions
from coresift.ranking import top_items
from coresift.recommenders import Recommender, with_histories
from coresift.storage import TEST, rows_of, rows_of_items
from coresift.surrogate import OF_IMPRESSIONS

logger = logging.getLogger(__name__)

Ranker: TypeAlias = Callable[[NDArray[np.int64], int], tuple[Tensor, Tensor]]
"""Maps positions of users and a length n to ids and scores (u, n) of their best items, nothing masked."""

METHODS = ("tuned", "untuned", "surrogate", "most_popular", "popular_recently", "item_knn")
"""Names of the methods, in the order of every table."""


def samples_to_test(samples: pa.Table) -> pa.Table:
    """Return the samples of the test split.

    Raises:
        ValueError: There is none.
    """
    chosen = samples.filter(pc.equal(samples["split"], TEST))
    if chosen.num_rows == 0:
        raise ValueError("samples has no test row to evaluate on: widen the test split of the ingestion.")
    return chosen


def rank_recommender(
    recommender: Recommender, prompts: pa.Table, samples: pa.Table, *, method: str, k: int
) -> pa.Table:
    """Rank the catalogue with a language model for every test user.

    Args:
        recommender: A recommender, tuned or not.
        prompts: Table `prompts`.
        samples: Table `samples`.
        method: Name of the method in the result.
        k: Length of every list.

    Returns:
        method, masked, sample_id, items, scores; masked lists first.

    Raises:
        ValueError: The recommender ranks nothing, or a test sample has no prompt.
    """
    users = samples_to_test(samples)
    chosen = prompts_with_histories(users, prompts)
    logger.info("Ranking the catalogue for %d test users: %s.", users.num_rows, method)
    return method_table(lambda rows, n: recommender.rank(_taken(chosen, rows), n), users, method, k)


def _taken(table: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    return table if len(rows) == len(table) else table.take(pa.array(rows))


def prompts_with_histories(users: pa.Table, prompts: pa.Table) -> pa.Table:
    """Return every sample's prompt and its ``history``, in the order of the samples.

    Raises:
        ValueError: A sample has no prompt.
    """
    return with_histories(prompts.take(rows_of_prompts(users, prompts)), users)


def rows_of_prompts(users: pa.Table, prompts: pa.Table) -> pa.Array:
    """Return the position of every sample's prompt.

    Raises:
        ValueError: A sample has none.
    """
    rows = pc.index_in(users["sample_id"], prompts["sample_id"])
    if rows.null_count:
        raise ValueError(f"{rows.null_count} test samples have no prompt: run the prompting pipeline again.")
    return rows


def rank_baselines(
    interactions: pa.Table,
    samples: pa.Table,
    n_items: int,
    *,
    k: int,
    knn_history_length: int = EvaluationOptions.knn_history_length,
) -> pa.Table:
    """Rank the catalogue by popularity, recent popularity and item neighbors for every test user.

    Returns:
        method, masked, sample_id, items, scores.
    """
    users = samples_to_test(samples)
    histories = users["history"].combine_chunks()
    rankers: dict[str, Ranker] = {
        "most_popular": lambda rows, n: most_popular(interactions, n_items, len(rows), n),
        "popular_recently": lambda rows, n: popular_recently(interactions, n_items, len(rows), n),
        "item_knn": lambda rows, n: item_knn(
            interactions, n_items, histories.take(pa.array(rows)), n, history_length=knn_history_length
        ),
    }
    return pa.concat_tables([method_table(rank, users, name, k) for name, rank in rankers.items()])


def rank_surrogate(
    samples: pa.Table,
    surrogate_states: dict[str, Tensor],
    item_vectors: dict[str, Tensor],
    *,
    k: int,
    n_items: int | None = None,
) -> pa.Table:
    """Rank the catalogue with the surrogate for every test user.

    Args:
        samples: Table `samples`.
        surrogate_states: Tensors `sample_id` and `state`, rows in any order.
        item_vectors: Tensors `item_id` and `vector`, rows in any order.
        k: Length of every list.
        n_items: Catalogue size M; None takes as many as there are vectors.

    Returns:
        method, masked, sample_id, items, scores.

    Raises:
        ValueError: A test sample has no state, an item no vector, or states and vectors come from different trainings.
    """
    check_same_surrogate(surrogate_states, item_vectors)
    users = samples_to_test(samples)
    states, items = surrogate_states_of(users, surrogate_states), surrogate_items(item_vectors, n_items)
    return method_table(lambda rows, n: top_items(states[torch.from_numpy(rows)], items, n), users, "surrogate", k)


def surrogate_states_of(users: pa.Table, surrogate_states: dict[str, Tensor]) -> Tensor:
    """Return the state of every sample (U, h) float32, joined by ``sample_id``.

    Raises:
        ValueError: A sample has none, or several.
    """
    wanted = users["sample_id"].to_numpy()
    missing = ~np.isin(wanted, surrogate_states["sample_id"].numpy())
    if missing.any():
        raise ValueError(f"{missing.sum()} test samples have no surrogate state: run the surrogate pipeline again.")
    return rows_of(surrogate_states, "state", wanted, dataset="surrogate_states").float()


def surrogate_items(item_vectors: dict[str, Tensor], n_items: int | None) -> Tensor:
    """Return the vector of every item (M, h) float32; row = item id.

    Raises:
        ValueError: An item has none, or several.
    """
    return rows_of_items(item_vectors, dataset="item_vectors", n_items=n_items).float()


def check_same_surrogate(surrogate_states: dict[str, Tensor], item_vectors: dict[str, Tensor]) -> None:
    """Refuse states and vectors that are not multiplied with each other.

    Raises:
        ValueError: They come from different trainings, or the states are those of a surrogate of clicks.
    """
    if getattr(surrogate_states, "metadata", {}).items() >= OF_IMPRESSIONS.items():
        raise ValueError(
            "the surrogate is DIN, which predicts clicks and ranks nothing: set recommender.name to yes_no, or run the "
            "surrogate pipeline with surrogate.model sasrec."
        )
    origins = [getattr(tensors, "metadata", {}).get("surrogate") for tensors in (surrogate_states, item_vectors)]
    if None not in origins and origins[0] != origins[1]:
        raise ValueError(
            "surrogate_states and item_vectors come from different trainings: run the surrogate pipeline again."
        )


def method_table(rank: Ranker, users: pa.Table, method: str, k: int) -> pa.Table:
    """Return the masked and the unmasked lists of a method in one table; see :func:`rank_in_groups` for ``rank``."""
    masked, unmasked = rank_in_groups(rank, users["history"], k)
    return pa.concat_tables(
        [
            method_rankings_of(rankings_table(users["sample_id"], *masked), method, masked=True),
            method_rankings_of(rankings_table(users["sample_id"], *unmasked), method, masked=False),
        ]
    )
