"""What language models and baselines yield for the test users: rankings of the catalogue, or click probabilities."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from torch import Tensor

from coresift.evaluation.baselines import training_counts
from coresift.evaluation.click_predictions import (
    predict_by_rates,
    predict_clicks,
    predict_with_surrogate,
    predictions_of,
)
from coresift.evaluation.masked_lists import combine_rankings, masked_rankings
from coresift.evaluation.methods import rank_baselines
from coresift.evaluation.options import EvaluationOptions
from coresift.evaluation.popularity_prior import PriorTuning, prior_tuning
from coresift.evaluation.prior_rankings import (
    Chosen,
    SurrogateScores,
    rank_surrogate_with_prior,
    rank_with_priors,
)
from coresift.evaluation.ranking_evaluation import KS
from coresift.personalization import SampleStates
from coresift.recommenders import Recommender, RecommenderInputs, recommender_of
from coresift.storage import empty_table
from coresift.surrogate import Surrogate


@dataclass(frozen=True)
class ModelOutputs:
    """One model, or all baselines, on the test users.

    Attributes:
        rankings: Table method, masked, sample_id, items, scores; empty for a model that predicts clicks.
        predictions: Table method, sample_id, probability; empty for a model that ranks.
        priors: The terms of the priors that were chosen for it.
    """

    rankings: pa.Table = field(default_factory=lambda: empty_table("method_rankings"))
    predictions: pa.Table = field(default_factory=lambda: empty_table("method_predictions"))
    priors: Chosen = field(default_factory=list)


class TunedOutputs(NamedTuple):
    """The tuned language model on the test users, alone and beside the untuned one.

    Attributes:
        rankings: Table sample_id, items, scores: the tuned model's masked lists.
        method_rankings: Table method, masked, sample_id, items, scores of both.
        predictions: Table sample_id, probability of the tuned model.
        method_predictions: Table method, sample_id, probability of both.
        priors: The terms of the priors that were chosen for both.
    """

    rankings: pa.Table
    method_rankings: pa.Table
    predictions: pa.Table
    method_predictions: pa.Table
    priors: Chosen


def outputs_of(
    recommender: Recommender,
    prompts: pa.Table,
    samples: pa.Table,
    *,
    method: str,
    k: int,
    tuning: PriorTuning | None = None,
    surrogate: SurrogateScores | None = None,
) -> ModelOutputs:
    """Rank the catalogue, bare and with priors, or predict the clicks, as the recommender does.

    Takes what :func:`rank_with_priors` takes.
    """
    if recommender.predicts_clicks:
        return ModelOutputs(predictions=predict_clicks(recommender, prompts, samples, method=method))
    rankings, priors = rank_with_priors(
        recommender, prompts, samples, method=method, k=k, tuning=tuning, surrogate=surrogate
    )
    return ModelOutputs(rankings=rankings, priors=priors)


def outputs_of_tuned(
    inputs: RecommenderInputs[Any],
    adapter_folder: Path,
    prompts: pa.Table,
    samples: pa.Table,
    interactions: pa.Table,
    *,
    surrogate_states: dict[str, Tensor],
    item_vectors: dict[str, Tensor],
    options: EvaluationOptions,
) -> TunedOutputs:
    """Rank the catalogue, or predict the clicks, with a tuned recommender and with the one it was tuned from.

    Args:
        inputs: What both are built from; the training interactions of items are counted here.
        adapter_folder: Folder of the tuned adapter.
        prompts: Table ``prompts``.
        samples: Table ``samples``.
        interactions: Table ``interactions``.
        surrogate_states: Tensors ``sample_id`` and ``state``, which a personalized adapter reads.
        item_vectors: Tensors ``item_id`` and ``vector`` of the surrogate.
        options: Users that the popularity prior is chosen on, and whether the surrogate's scores stand beside it.
    """
    inputs = replace(inputs, item_counts=training_counts(interactions, len(inputs.items)))
    n_users = 0 if inputs.options.predicts_clicks else options.prior_users
    tuning = prior_tuning(samples, interactions, len(inputs.items), n_users=n_users, random_state=inputs.random_state)
    surrogate = SurrogateScores(surrogate_states, item_vectors, len(inputs.items)) if options.prior_surrogate else None
    ranked: dict[str, Any] = {"k": max(KS), "tuning": tuning, "surrogate": surrogate}
    untuned = outputs_of(recommender_of(inputs), prompts, samples, method="untuned", **ranked)
    recommender = recommender_of(inputs, adapter_folder=adapter_folder, states=SampleStates(surrogate_states))
    tuned = outputs_of(recommender, prompts, samples, method="tuned", **ranked)
    return TunedOutputs(
        masked_rankings(tuned.rankings, "tuned"),
        combine_rankings(tuned.rankings, untuned.rankings),
        predictions_of(tuned.predictions, "tuned"),
        combine_rankings(tuned.predictions, untuned.predictions),
        tuned.priors + untuned.priors,
    )


def baseline_rankings(
    interactions: pa.Table,
    samples: pa.Table,
    n_items: int,
    *,
    surrogate_states: dict[str, Tensor],
    item_vectors: dict[str, Tensor],
    options: EvaluationOptions,
    random_state: int = 0,
) -> ModelOutputs:
    """Rank the catalogue by the surrogate, bare and with a prior, by popularity and by item neighbors.

    Args:
        interactions: Table ``interactions``.
        samples: Table ``samples``.
        n_items: Catalogue size M.
        surrogate_states: Tensors ``sample_id`` and ``state``.
        item_vectors: Tensors ``item_id`` and ``vector``.
        options: Users that the popularity prior is chosen on, and items that item neighbors start from.
        random_state: Seed of the prior's validation users.
    """
    tuning = prior_tuning(samples, interactions, n_items, n_users=options.prior_users, random_state=random_state)
    surrogate, priors = rank_surrogate_with_prior(
        samples, surrogate_states, item_vectors, k=max(KS), tuning=tuning, n_items=n_items
    )
    plain = rank_baselines(interactions, samples, n_items, k=max(KS), knn_history_length=options.knn_history_length)
    return ModelOutputs(rankings=combine_rankings(surrogate, plain), priors=priors)


def baseline_predictions(surrogate: Surrogate, samples: pa.Table, surrogate_states: dict[str, Tensor]) -> ModelOutputs:
    """Predict every test impression by the surrogate and by click rates of items and users."""
    own = predict_with_surrogate(surrogate, samples, surrogate_states)
    return ModelOutputs(predictions=combine_rankings(own, predict_by_rates(samples)))
