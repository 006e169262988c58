"""The evaluation report: one HTML page that needs nothing else."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from coresift.evaluation.plots import plot_intervals
from coresift.evaluation.run_comparison import verdict
from coresift.evaluation.summary import main_rows, method_note, method_title, view_of
from coresift.storage import TEST, TRAIN, VALID


def write_report(metrics: dict[str, Any], facts: Mapping[str, object]) -> str:
    """Return the report as a string of HTML with style and plots inside.

    Args:
        metrics: The document of `evaluate_rankings` or `evaluate_clicks`; the tuned model must be among its methods.
        facts: What the run was, by name, for the reader.
    """
    environment = Environment(
        loader=PackageLoader("coresift.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"method_title": method_title, "number": _number, "verdict": verdict}
    view, rows = view_of(metrics), main_rows(metrics)
    unmasked = [row for row in metrics["rows"] if row["masked"] != view.masked]
    title = "History masked" if view.masked else "Click prediction"
    return environment.get_template("report.html.j2").render(
        metrics=metrics,
        view=view,
        tuned=next(row for row in rows if row["method"] == "tuned"),
        tables=[(title, rows)] + [("Nothing masked", unmasked)] * bool(unmasked),
        best={name: _best([row[name]["mean"] for row in rows], name in view.lower_is_better) for name in view.columns},
        comparisons=[row for row in metrics["comparisons"] if row["masked"] == view.masked],
        slices=_by_slice(metrics.get("slices", [])),
        other_run=metrics.get("other_run"),
        priors=metrics.get("priors", []),
        notes={row["method"]: method_note(row["method"]) for row in rows},
        plot=Markup(_svg(plot_intervals(metrics))),
        facts=facts,
    )


def corpus_facts(interactions: pa.Table, items: pa.Table, samples: pa.Table) -> dict[str, object]:
    """Return what the report says about the corpus: sizes by name."""
    counts = {split: int(pc.sum(pc.equal(interactions["split"], split)).as_py() or 0) for split in (TRAIN, VALID, TEST)}
    return {
        "Items in the catalogue": items.num_rows,
        "Training interactions": counts[0],
        "Validation interactions": counts[1],
        "Test interactions": counts[2],
        "Validation interactions after the first test one": _later_than_test(interactions),
        "Training samples": int(pc.sum(pc.equal(samples["split"], TRAIN)).as_py() or 0),
    }


def _later_than_test(interactions: pa.Table) -> int | str:
    """Return how many validation interactions no window before the test holds; they are none if splits follow time."""
    if "timestamp" not in interactions.column_names:
        return "unknown"
    times = {split: interactions["timestamp"].filter(pc.equal(interactions["split"], split)) for split in (VALID, TEST)}
    first = pc.min(times[2])
    return "unknown" if first.as_py() is None else int(pc.sum(pc.greater(times[1], first)).as_py() or 0)


def _best(values: list[float], lowest: bool) -> float:
    return min(values) if lowest else max(values)


def _by_slice(entries: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """Return the entries of every slice by method."""
    grouped: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for entry in entries:
        grouped.setdefault((entry["slice"], entry["group"]), {})[entry["method"]] = entry
    return grouped


def _svg(figure: Figure) -> str:
    """Draw a figure as inline SVG; equal figures give equal text."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "coresift", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
