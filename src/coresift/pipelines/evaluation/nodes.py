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
    from coresift.evaluation import draw_test_samples, outputs_of_tuned

    use_threads(threads.root)
    inputs = recommender.inputs(base_model, items, semantic_ids, device=device, dtype=dtype, seed=seed)
    return outputs_of_tuned(
        inputs,
        adapter,
        prompts,
        draw_test_samples(samples, parameters.test_samples, random_state=seed.root),
        interactions,
        surrogate_states=surrogate_states,
        item_vectors=item_vectors,
        options=parameters,
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
    """Rank the catalogue by popularity, item neighbors and the surrogate, or predict clicks by it and by rates."""
    from coresift.compute import use_threads
    from coresift.evaluation import baseline_predictions, baseline_rankings, draw_test_samples
    from coresift.surrogate import load_surrogate

    use_threads(threads.root)
    samples = draw_test_samples(samples, parameters.test_samples, random_state=seed.root)
    if recommender.options.predicts_clicks:
        outputs = baseline_predictions(load_surrogate(surrogate_weights), samples, surrogate_states)
    else:
        outputs = baseline_rankings(
            interactions,
            samples,
            items.num_rows,
            surrogate_states=surrogate_states,
            item_vectors=item_vectors,
            options=parameters,
            random_state=seed.root,
        )
    return outputs.rankings, outputs.predictions, outputs.priors


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
    if recommender.options.predicts_clicks:
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
    facts = corpus_facts(interactions, items, samples) | {"Recommender": recommender.options.name, "Seed": seed.root}
    return user_metrics, metrics, write_report(metrics, facts), plot_intervals(metrics)
