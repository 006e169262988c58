"""Nodes of the evaluation pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coresift.parameters import Device, Dtype, RecommenderParameters, Seed, Threads
from coresift.pipelines.evaluation.params import EvaluationParameters
from coresift.typing import Figure, Table, TensorDict

PREDICTS_CLICKS = "yes_no"
"""The recommender that answers impressions instead of ranking the catalogue."""


def rank_with_language_model(
    adapter: Path,
    base_model: Path,
    prompts: Table,
    items: Table,
    samples: Table,
    interactions: Table,
    surrogate_states: TensorDict,
    item_vectors: TensorDict,
    semantic_ids: Table,
    *,
    parameters: EvaluationParameters,
    recommender: RecommenderParameters,
    device: Device,
    dtype: Dtype,
    threads: Threads,
    seed: Seed,
) -> tuple[Table, Table, Table, Table, list[dict[str, Any]]]:
    """Rank the catalogue, or predict the clicks, of every test user with the tuned and the untuned language model."""
    from coresift.compute import use_threads
    from coresift.evaluation import (
        KS,
        SurrogateScores,
        combine_rankings,
        draw_test_samples,
        masked_rankings,
        outputs_of,
        predictions_of,
        prior_tuning,
        training_counts,
    )
    from coresift.personalization import SampleStates
    from coresift.recommenders import build_recommender

    use_threads(threads.root)
    samples = draw_test_samples(samples, parameters.test_samples, random_state=seed.root)
    shared: dict[str, Any] = {"base_model": base_model, "items": items, "device": device.root, "dtype": dtype.root}
    shared |= recommender.options() | {"random_state": seed.root, "semantic_ids": semantic_ids}
    shared["item_counts"] = training_counts(interactions, items.num_rows)
    n_users = 0 if recommender.name == PREDICTS_CLICKS else parameters.prior_users
    tuning = prior_tuning(samples, interactions, items.num_rows, n_users=n_users, random_state=seed.root)
    helper = SurrogateScores(surrogate_states, item_vectors, items.num_rows) if parameters.prior_surrogate else None
    ranked: dict[str, Any] = {"k": max(KS), "tuning": tuning, "surrogate": helper}
    untuned = outputs_of(build_recommender(**shared), prompts, samples, method="untuned", **ranked)
    tuned_model = build_recommender(**shared, adapter_folder=adapter, states=SampleStates(surrogate_states))
    tuned = outputs_of(tuned_model, prompts, samples, method="tuned", **ranked)
    return (
        masked_rankings(tuned.rankings, "tuned"),
        combine_rankings(tuned.rankings, untuned.rankings),
        predictions_of(tuned.predictions, "tuned"),
        combine_rankings(tuned.predictions, untuned.predictions),
        tuned.priors + untuned.priors,
    )


def rank_with_baselines(
    interactions: Table,
    samples: Table,
    items: Table,
    surrogate_weights: Path,
    surrogate_states: TensorDict,
    item_vectors: TensorDict,
    *,
    parameters: EvaluationParameters,
    recommender: RecommenderParameters,
    threads: Threads,
    seed: Seed,
) -> tuple[Table, Table, list[dict[str, Any]]]:
    """Rank the catalogue by popularity, item neighbours and the surrogate, or predict clicks by it and by rates."""
    from coresift.compute import use_threads
    from coresift.evaluation import (
        KS,
        combine_rankings,
        draw_test_samples,
        predict_by_rates,
        predict_with_surrogate,
        prior_tuning,
        rank_baselines,
        rank_surrogate_with_prior,
    )
    from coresift.storage import empty_table
    from coresift.surrogate import load_surrogate

    samples = draw_test_samples(samples, parameters.test_samples, random_state=seed.root)
    if recommender.name == PREDICTS_CLICKS:
        own = predict_with_surrogate(load_surrogate(surrogate_weights), samples, surrogate_states)
        return empty_table("method_rankings"), combine_rankings(own, predict_by_rates(samples)), []
    use_threads(threads.root)
    tuning = prior_tuning(samples, interactions, items.num_rows, n_users=parameters.prior_users, random_state=seed.root)
    surrogate, chosen = rank_surrogate_with_prior(
        samples, surrogate_states, item_vectors, k=max(KS), tuning=tuning, n_items=items.num_rows
    )
    baselines = rank_baselines(
        interactions, samples, items.num_rows, k=max(KS), knn_history_length=parameters.knn_history_length
    )
    return combine_rankings(surrogate, baselines), empty_table("method_predictions"), chosen


def measure_rankings(
    recommender_rankings: Table,
    baseline_rankings: Table,
    recommender_predictions: Table,
    baseline_predictions: Table,
    recommender_priors: list[dict[str, Any]],
    baseline_priors: list[dict[str, Any]],
    samples: Table,
    interactions: Table,
    items: Table,
    *,
    parameters: EvaluationParameters,
    recommender: RecommenderParameters,
    seed: Seed,
) -> tuple[Table, dict[str, object], str, Figure]:
    """Measure every method per user, compare them with intervals, and write the report."""
    from coresift.evaluation import (
        combine_rankings,
        compare_runs,
        corpus_facts,
        draw_test_samples,
        evaluate_clicks,
        evaluate_rankings,
        evaluate_slices,
        plot_intervals,
        read_user_metrics,
        write_report,
    )

    samples = draw_test_samples(samples, parameters.test_samples, random_state=seed.root)
    draws: dict[str, Any] = {"n_resamples": parameters.n_resamples, "random_state": seed.root}
    if recommender.name == PREDICTS_CLICKS:
        predictions = combine_rankings(recommender_predictions, baseline_predictions)
        metrics, user_metrics = evaluate_clicks(predictions, samples, **draws)
    else:
        rankings = combine_rankings(recommender_rankings, baseline_rankings)
        metrics, user_metrics = evaluate_rankings(rankings, samples, **draws)
        metrics["slices"] = evaluate_slices(rankings, samples, interactions, cold_below=parameters.cold_below, **draws)
        metrics["priors"] = recommender_priors + baseline_priors
    if parameters.compare_with:
        other = read_user_metrics(Path(parameters.compare_with).expanduser())
        metrics["other_run"] = compare_runs(user_metrics, other, **draws)
    facts = corpus_facts(interactions, items, samples) | {"Recommender": recommender.name, "Seed": seed.root}
    return user_metrics, metrics, write_report(metrics, facts), plot_intervals(metrics)
