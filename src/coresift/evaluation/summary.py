"""What methods and metrics are called in front of people, which rows come first, and the short table of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PRIOR_SUFFIX, SURROGATE_SUFFIX = "+prior", "+surrogate"
"""What the name of a method ends with, where other terms are added to its scores."""

METHOD_TITLES = {
    "tuned": "Tuned model",
    "untuned": "Untuned model",
    "surrogate": "Surrogate",
    "most_popular": "Most popular",
    "popular_recently": "Popular recently",
    "item_knn": "Item neighbours",
    "item_click_rate": "Click rate of the item",
    "user_click_rate": "Click rate of the user",
}

METHOD_NOTES = {
    "tuned": "The language model after LoRA fine-tuning on the coreset.",
    "untuned": "The same language model before fine-tuning: what the coreset has to add to.",
    "surrogate": "The small recommender trained on everything: SASRec, or DIN for clicks.",
    "most_popular": "Items by their count in the training split; the same list for everybody.",
    "popular_recently": "Items by their count in the validation split: the window just before the test period, or no "
    "window of time where each user's own latest interactions are held out. "
    "It sees interactions that models trained on the training split do not.",
    "item_knn": "Cosine similarity to the latest items of a user, from training interactions only.",
    "item_click_rate": "Share of clicks among the item's training impressions, drawn towards the overall share.",
    "user_click_rate": "Share of clicks among the user's training impressions, drawn towards the overall share.",
}


SUFFIX_TITLES = {"": "", "prior": ", prior", "prior+surrogate": ", prior, surrogate"}

SUFFIX_NOTES = {
    "": "",
    "prior": " Plus the logarithm of how often each item was bought in the latest window, weighted as validation users "
    "want it.",
    "prior+surrogate": " Plus recent popularity and the surrogate's scores, weighted as validation users want them.",
}


def method_title(method: str) -> str:
    """Return the name of a method for people; unknown names are returned as they are."""
    name, _, suffix = method.partition("+")
    return METHOD_TITLES.get(name, name) + SUFFIX_TITLES.get(suffix, suffix)


def method_note(method: str) -> str:
    """Return what a method is, in a sentence or two; empty for an unknown one."""
    name, _, suffix = method.partition("+")
    return METHOD_NOTES.get(name, "") + SUFFIX_NOTES.get(suffix, "")


@dataclass(frozen=True)
class View:
    """What is shown of one kind of evaluation.

    Attributes:
        headline: Metrics of the tuned model at the top of the report.
        columns: Metrics of the tables.
        compared: Metrics of comparisons, plot and summary.
        lower_is_better: Those of ``columns`` of which the lowest value is the best.
        masked: Whether the rows looked at first have the history masked.
    """

    headline: tuple[str, ...]
    columns: tuple[str, ...]
    compared: tuple[str, str]
    lower_is_better: tuple[str, ...] = ()
    masked: bool = True


RANKING = View(
    headline=("recall@10", "ndcg@10", "hit_rate@10"),
    columns=("recall@10", "recall@20", "ndcg@10", "ndcg@20", "hit_rate@10", "mrr@10"),
    compared=("recall@10", "ndcg@10"),
)
CLICK = View(
    headline=("auc", "log_loss", "accuracy"),
    columns=("auc", "log_loss", "accuracy", "calibration_error"),
    compared=("auc", "log_loss"),
    lower_is_better=("log_loss", "calibration_error"),
    masked=False,
)


def view_of(metrics: dict[str, Any]) -> View:
    """Return what to show of a metrics document."""
    return CLICK if metrics.get("kind") == "click" else RANKING


def main_rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that are looked at first."""
    return [row for row in metrics["rows"] if row["masked"] == view_of(metrics).masked]


def metrics_summary_lines(metrics: dict[str, Any]) -> list[str]:
    """Return a table as text: every method with the two metrics that are compared and their 95 % intervals.

    Args:
        metrics: The document of `evaluate_rankings` or `evaluate_clicks`.
    """
    view, found = view_of(metrics), main_rows(metrics)
    width = max(len("method"), *(len(method_title(row["method"])) for row in found)) + 1
    first, second = view.compared
    header = f"{'method':<{width}} {first:>9} {'95 % interval':>16} {second:>9} {'95 % interval':>16}"
    rows = [f"{method_title(row['method']):<{width}} {_cells(row[first])} {_cells(row[second])}" for row in found]
    condition = "full catalogue, history masked" if view.masked else f"{metrics.get('impressions', 0):,} impressions"
    return [header, "-" * len(header), *rows, f"{metrics['users']:,} test users, {condition}"]


def _cells(figure: dict[str, float]) -> str:
    interval = f"{figure['low']:.4f} - {figure['high']:.4f}"
    return f"{figure['mean']:>9.4f} {interval:>16}"
