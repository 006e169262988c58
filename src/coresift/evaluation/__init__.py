"""Evaluation: honest baselines, metrics with intervals, paired comparisons, and a report people can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coresift.doors import opened_when_used

if TYPE_CHECKING:
    from coresift.evaluation.baselines import item_knn, most_popular, popular_recently, training_counts
    from coresift.evaluation.click_evaluation import evaluate_clicks
    from coresift.evaluation.click_predictions import (
        predict_by_rates,
        predict_clicks,
        predict_with_surrogate,
        predictions_of,
    )
    from coresift.evaluation.drawn_test_samples import draw_test_samples
    from coresift.evaluation.masked_lists import (
        combine_rankings,
        masked_rankings,
        method_rankings_of,
        rank_masked_and_unmasked,
        rankings_table,
    )
    from coresift.evaluation.methods import METHODS, rank_baselines, rank_recommender, rank_surrogate
    from coresift.evaluation.model_outputs import (
        ModelOutputs,
        TunedOutputs,
        baseline_predictions,
        baseline_rankings,
        outputs_of,
        outputs_of_tuned,
    )
    from coresift.evaluation.options import EvaluationOptions
    from coresift.evaluation.plots import plot_intervals
    from coresift.evaluation.popularity_prior import PopularityPrior, PriorTuning, prior_tuning
    from coresift.evaluation.prior_rankings import SurrogateScores, rank_surrogate_with_prior, rank_with_priors
    from coresift.evaluation.ranking_evaluation import KS, evaluate_rankings
    from coresift.evaluation.report import corpus_facts, write_report
    from coresift.evaluation.run_comparison import compare_runs, comparison_lines, read_user_metrics
    from coresift.evaluation.slices import evaluate_slices
    from coresift.evaluation.summary import metrics_summary_lines
    from coresift.ranking import bootstrap_mean, click_metrics, paired_bootstrap, ranking_metrics
else:
    __getattr__ = opened_when_used(__name__)

__all__ = [
    "KS",
    "METHODS",
    "EvaluationOptions",
    "ModelOutputs",
    "PopularityPrior",
    "PriorTuning",
    "SurrogateScores",
    "TunedOutputs",
    "baseline_predictions",
    "baseline_rankings",
    "bootstrap_mean",
    "click_metrics",
    "combine_rankings",
    "compare_runs",
    "comparison_lines",
    "corpus_facts",
    "draw_test_samples",
    "evaluate_clicks",
    "evaluate_rankings",
    "evaluate_slices",
    "item_knn",
    "masked_rankings",
    "method_rankings_of",
    "metrics_summary_lines",
    "most_popular",
    "outputs_of",
    "outputs_of_tuned",
    "paired_bootstrap",
    "plot_intervals",
    "popular_recently",
    "predict_by_rates",
    "predict_clicks",
    "predict_with_surrogate",
    "predictions_of",
    "prior_tuning",
    "rank_baselines",
    "rank_masked_and_unmasked",
    "rank_recommender",
    "rank_surrogate",
    "rank_surrogate_with_prior",
    "rank_with_priors",
    "ranking_metrics",
    "rankings_table",
    "read_user_metrics",
    "training_counts",
    "write_report",
]
