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

from coresift.evaluation.labels import METHOD_NOTES, method_label
from coresift.evaluation.plots import plot_intervals

TABLE_METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20", "hit_rate@10", "mrr@10")


def write_report(metrics: dict[str, Any], facts: Mapping[str, object]) -> str:
    """Return the report as a string of HTML with style and plots inside.

    Args:
        metrics: the document of `evaluate_rankings`; the tuned model must be among its methods.
        facts: what the run was, by name, for the reader.
    """
    environment = Environment(
        loader=PackageLoader("coresift.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"label": method_label, "number": _number}
    masked = [row for row in metrics["rows"] if row["masked"]]
    return environment.get_template("report.html.j2").render(
        metrics=metrics,
        tuned=next(row for row in masked if row["method"] == "tuned"),
        tables=[("History masked", masked), ("Nothing masked", [row for row in metrics["rows"] if not row["masked"]])],
        best={name: max(row[name]["mean"] for row in masked) for name in TABLE_METRICS},
        comparisons=[row for row in metrics["comparisons"] if row["masked"]],
        columns=TABLE_METRICS,
        notes={row["method"]: METHOD_NOTES.get(row["method"], "") for row in masked},
        plot=Markup(_svg(plot_intervals(metrics))),
        facts=facts,
    )


def corpus_facts(interactions: pa.Table, items: pa.Table, samples: pa.Table) -> dict[str, object]:
    """Return what the report says about the corpus: sizes by name."""
    counts = {split: int(pc.sum(pc.equal(interactions["split"], split)).as_py() or 0) for split in (0, 1, 2)}
    return {
        "Items in the catalogue": items.num_rows,
        "Training interactions": counts[0],
        "Validation interactions": counts[1],
        "Test interactions": counts[2],
        "Training samples": int(pc.sum(pc.equal(samples["split"], 0)).as_py() or 0),
    }


def _svg(figure: Figure) -> str:
    """Draw a figure as inline SVG; equal figures give equal text."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "coresift", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
