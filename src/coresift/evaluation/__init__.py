"""Evaluation: honest baselines, metrics with intervals, paired comparisons, and a report people can read."""

from __future__ import annotations

from coresift.evaluation.baselines import item_knn, most_popular, popular_recently
from coresift.evaluation.both_ways import (
    combine_rankings,
    label_rankings,
    masked_rankings,
    rank_both_ways,
    rankings_table,
)
from coresift.evaluation.methods import METHODS, rank_baselines, rank_recommender, rank_surrogate
from coresift.evaluation.plots import plot_intervals
from coresift.evaluation.report import corpus_facts, write_report
from coresift.evaluation.scoring import KS, evaluate_rankings
from coresift.evaluation.summary import metrics_summary_lines
from coresift.ranking import bootstrap_mean, paired_bootstrap, ranking_metrics

__all__ = [
    "KS",
    "METHODS",
    "bootstrap_mean",
    "combine_rankings",
    "corpus_facts",
    "evaluate_rankings",
    "item_knn",
    "label_rankings",
    "masked_rankings",
    "metrics_summary_lines",
    "most_popular",
    "paired_bootstrap",
    "plot_intervals",
    "popular_recently",
    "rank_baselines",
    "rank_both_ways",
    "rank_recommender",
    "rank_surrogate",
    "ranking_metrics",
    "rankings_table",
    "write_report",
]
