"""What a language model yields for the test users: rankings of the catalogue, or click probabilities."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from coresift.evaluation.click_predictions import predict_clicks
from coresift.evaluation.popularity_prior import PriorTuning
from coresift.evaluation.prior_rankings import Chosen, SurrogateScores, rank_with_priors
from coresift.recommenders import ClickRecommender, Recommender
from coresift.storage import empty_table


@dataclass(frozen=True)
class ModelOutputs:
    """One model on the test users.

    Attributes:
        rankings: Table method, masked, sample_id, items, scores; empty for a model that predicts clicks.
        predictions: Table method, sample_id, probability; empty for a model that ranks.
        priors: The terms of the priors that were chosen for it.
    """

    rankings: pa.Table = field(default_factory=lambda: empty_table("method_rankings"))
    predictions: pa.Table = field(default_factory=lambda: empty_table("method_predictions"))
    priors: Chosen = field(default_factory=list)


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
    if isinstance(recommender, ClickRecommender):
        return ModelOutputs(predictions=predict_clicks(recommender, prompts, samples, method=method))
    rankings, priors = rank_with_priors(
        recommender, prompts, samples, method=method, k=k, tuning=tuning, surrogate=surrogate
    )
    return ModelOutputs(rankings=rankings, priors=priors)
