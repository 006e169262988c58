"""Nodes of the evaluation pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coresift.parameters import Device, Dtype, RecommenderParameters, Seed, Threads
from coresift.pipelines.evaluation.params import EvaluationParameters
from coresift.typing import Figure, Table, TensorDict


def rank_with_language_model(
    adapter: Path,
    base_model: Path,
    prompts: Table,
    items: Table,
    samples: Table,
    *,
    recommender: RecommenderParameters,
    device: Device,
    dtype: Dtype,
    threads: Threads,
    seed: Seed,
) -> tuple[Table, Table, Table]:
    """Rank the catalogue for every test user with the tuned and with the untuned language model."""
    from coresift.compute import use_threads
    from coresift.evaluation import KS, combine_rankings, masked_rankings, rank_recommender
    from coresift.recommenders import build_recommender
    from coresift.storage import empty_table

    use_threads(threads.root)
    shared: dict[str, Any] = {"base_model": base_model, "items": items, "device": device.root, "dtype": dtype.root}
    shared |= recommender.model_dump() | {"random_state": seed.root}
    untuned = rank_recommender(build_recommender(**shared), prompts, samples, method="untuned", k=max(KS))
    tuned_model = build_recommender(**shared, adapter_folder=adapter)
    tuned = rank_recommender(tuned_model, prompts, samples, method="tuned", k=max(KS))
    return masked_rankings(tuned, "tuned"), combine_rankings(tuned, untuned), empty_table("predictions")


def rank_with_baselines(
    interactions: Table,
    samples: Table,
    items: Table,
    surrogate_states: TensorDict,
    item_vectors: TensorDict,
    *,
    parameters: EvaluationParameters,
    threads: Threads,
) -> Table:
    """Rank the catalogue for every test user by popularity, item neighbours and the surrogate."""
    from coresift.compute import use_threads
    from coresift.evaluation import KS, combine_rankings, rank_baselines, rank_surrogate

    use_threads(threads.root)
    surrogate = rank_surrogate(samples, surrogate_states, item_vectors, k=max(KS))
    baselines = rank_baselines(
        interactions, samples, items.num_rows, k=max(KS), knn_history_length=parameters.knn_history_length
    )
    return combine_rankings(surrogate, baselines)


def measure_rankings(
    recommender_rankings: Table,
    baseline_rankings: Table,
    samples: Table,
    interactions: Table,
    items: Table,
    *,
    parameters: EvaluationParameters,
    recommender: RecommenderParameters,
    seed: Seed,
) -> tuple[Table, dict[str, object], str, Figure]:
    """Measure every method per user, compare them with intervals, and write the report."""
    from coresift.evaluation import combine_rankings, corpus_facts, evaluate_rankings, plot_intervals, write_report

    metrics, user_metrics = evaluate_rankings(
        combine_rankings(recommender_rankings, baseline_rankings),
        samples,
        n_resamples=parameters.n_resamples,
        random_state=seed.root,
    )
    facts = corpus_facts(interactions, items, samples) | {"Recommender": recommender.name, "Seed": seed.root}
    return user_metrics, metrics, write_report(metrics, facts), plot_intervals(metrics)
