"""Metrics of ranked lists against numbers worked out by hand and a plain implementation."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import torch

from coresift.ranking import ranking_metrics


def plain_metrics(top: list[int], targets: set[int], k: int) -> dict[str, float]:
    hits = [rank for rank, item in enumerate(top[:k], start=1) if item in targets]
    gain = sum(1 / math.log2(rank + 1) for rank in hits)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(targets), k) + 1))
    return {
        "recall": len(hits) / len(targets),
        "ndcg": gain / ideal,
        "hit_rate": float(bool(hits)),
        "mrr": 1 / hits[0] if hits else 0.0,
    }


def test_numbers_by_hand() -> None:
    metrics = ranking_metrics([[4, 7, 1, 9]], [[7, 9, 100]], ks=(2, 4))
    assert metrics["recall@2"][0] == pytest.approx(1 / 3)
    assert metrics["recall@4"][0] == pytest.approx(2 / 3)
    assert metrics["mrr@2"][0] == pytest.approx(0.5)
    assert metrics["hit_rate@2"][0] == 1.0
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    assert metrics["ndcg@4"][0] == pytest.approx(gain / (1 + 1 / math.log2(3) + 0.5))


def test_agrees_with_a_plain_implementation() -> None:
    generator = np.random.default_rng(3)
    top = np.stack([generator.permutation(30)[:12] for _ in range(60)])
    targets = [generator.choice(40, size=n, replace=False).tolist() for n in generator.integers(1, 20, 60)]
    metrics = ranking_metrics(torch.from_numpy(top), targets, ks=(1, 5, 12))
    for k in (1, 5, 12):
        for row, wanted in enumerate(targets):
            for kind, value in plain_metrics(top[row].tolist(), set(wanted), k).items():
                assert metrics[f"{kind}@{k}"][row] == pytest.approx(value)


def test_targets_are_sets_and_arrow_lists_work() -> None:
    as_lists = ranking_metrics([[1, 2]], [[2, 2, 5]], ks=(2,))
    as_arrow = ranking_metrics([[1, 2]], pa.array([[5, 2]], pa.list_(pa.int32())), ks=(2,))
    assert as_lists["recall@2"][0] == 0.5
    assert all(np.array_equal(as_lists[name], as_arrow[name]) for name in as_lists)


def test_users_without_targets_are_not_a_number_in_every_metric() -> None:
    metrics = ranking_metrics([[1, 2], [1, 2]], [[], [1]], ks=(1, 2))
    assert all(math.isnan(values[0]) and values[1] == 1.0 for values in metrics.values() if len(values) == 2)
    assert all(np.isnan(values).all() for values in ranking_metrics([[1, 2]], [[]], ks=(2,)).values())


def test_padding_is_never_a_hit() -> None:
    metrics = ranking_metrics([[3, -1, -1], [-1, -1, -1]], [[3, 4], [0]], ks=(3,))
    assert metrics["recall@3"].tolist() == [0.5, 0.0]
    assert metrics["mrr@3"].tolist() == [1.0, 0.0]


def test_bad_input_is_refused_with_a_remedy() -> None:
    with pytest.raises(ValueError, match="too short for a cut-off of 50"):
        ranking_metrics([[1, 2]], [[1]])
    with pytest.raises(ValueError, match="row 1 names an item twice"):
        ranking_metrics([[1, 2], [3, 3]], [[1], [1]], ks=(2,))
    with pytest.raises(ValueError, match="one row of item ids per user"):
        ranking_metrics([[1, 2]], [[1], [2]], ks=(2,))
    with pytest.raises(ValueError, match="item ids start at 0"):
        ranking_metrics([[1, -1]], [[-1]], ks=(2,))
    with pytest.raises(ValueError, match="not usable"):
        ranking_metrics([[1, 2]], [[1]], ks=())
