"""Metrics beside those of torchmetrics, on scores with ties and several relevant items.

``torchmetrics_values.json`` holds scores, targets and what torchmetrics makes of them; ``python
test_metrics_oracle.py`` writes it anew where torchmetrics is installed. torchmetrics has no rule for ties of our
kind, so it is given scores in which the lowest id stands first.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from coresift.ranking import ranking_metrics, top_items_from

FILE = Path(__file__).with_name("torchmetrics_values.json")
KS = (1, 5, 10)
N_USERS, N_ITEMS = 25, 40


def cases() -> tuple[np.ndarray, list[list[int]]]:
    """Scores of five levels, and one to six targets of every user."""
    generator = np.random.default_rng(3)
    scores = generator.integers(0, 5, (N_USERS, N_ITEMS))
    counts = generator.integers(1, 7, N_USERS)
    return scores, [sorted(generator.choice(N_ITEMS, size=count, replace=False).tolist()) for count in counts]


def torchmetrics_values() -> dict[str, list[float]]:
    """Per-user metrics by torchmetrics."""
    from torchmetrics.functional import retrieval

    kinds = {
        "recall": retrieval.retrieval_recall,
        "ndcg": retrieval.retrieval_normalized_dcg,
        "hit_rate": retrieval.retrieval_hit_rate,
        "mrr": retrieval.retrieval_reciprocal_rank,
    }
    scores, targets = cases()
    strict = torch.from_numpy(scores * N_ITEMS - np.arange(N_ITEMS)).float()
    relevant = torch.zeros(N_USERS, N_ITEMS, dtype=torch.bool)
    for user, items in enumerate(targets):
        relevant[user, items] = True
    return {
        f"{kind}@{k}": [float(function(*row, top_k=k)) for row in zip(strict, relevant, strict=True)]
        for kind, function in kinds.items()
        for k in KS
    }


def test_metrics_agree_with_torchmetrics() -> None:
    scores, targets = cases()
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    assert stored["scores"] == scores.tolist()
    assert stored["targets"] == targets
    lists, _ = top_items_from(lambda block: torch.from_numpy(scores[block]).float(), N_USERS, max(KS))
    found = ranking_metrics(lists, targets, KS)
    assert len(stored["values"]) == len(found)
    for name, values in stored["values"].items():
        np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)


def test_the_stored_values_are_those_of_torchmetrics() -> None:
    pytest.importorskip("torchmetrics")
    stored = json.loads(FILE.read_text(encoding="utf-8"))["values"]
    for name, values in torchmetrics_values().items():
        np.testing.assert_allclose(stored[name], values, atol=1e-6, err_msg=name)


if __name__ == "__main__":
    from importlib.metadata import version

    made = {
        "made_with": f"torchmetrics {version('torchmetrics')}",
        "scores": cases()[0].tolist(),
        "targets": cases()[1],
    }
    FILE.write_text(json.dumps(made | {"values": torchmetrics_values()}) + "\n", encoding="utf-8")
