"""The metrics document: means, intervals, comparisons, removed targets."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from evaluation_cases import noisy_world, samples

from coresift.evaluation import METHODS, evaluate_rankings, method_rankings_of, metrics_summary_lines, rankings_table


def test_rows_hold_the_means_of_the_user_table() -> None:
    users, rankings = noisy_world()
    document, table = evaluate_rankings(rankings, users, n_resamples=200)
    assert [(row["method"], row["masked"]) for row in document["rows"]] == [
        (method, masked) for masked in (True, False) for method in METHODS
    ]
    for row in document["rows"]:
        chosen = table.filter(
            pc.and_(pc.equal(table["method"], row["method"]), pc.equal(table["masked"], row["masked"]))
        )
        for name in ("recall@5", "ndcg@10", "hit_rate@20", "mrr@50"):
            figure = row[name]
            assert figure["mean"] == pytest.approx(np.mean(chosen[name]), abs=1e-6)
            assert figure["low"] <= figure["mean"] <= figure["high"]
    assert document["users"] == users.num_rows
    json.dumps(document, allow_nan=False)


def test_the_better_method_wins_its_comparisons() -> None:
    users, rankings = noisy_world()
    document, _ = evaluate_rankings(rankings, users, n_resamples=200)
    assert len(document["comparisons"]) == 2 * (len(METHODS) - 1)
    assert all(row["method"] == "tuned" and row["recall@5"]["low"] > 0 for row in document["comparisons"])


def test_seen_targets_and_users_without_targets_are_counted() -> None:
    users = samples([[1, 2], [5], [6]], [[2, 3], [5], [7]])
    lists = torch.tensor([[3, 4], [7, 8], [7, 8]])
    table = method_rankings_of(rankings_table(users["sample_id"], lists, torch.zeros(3, 2)), "tuned", masked=True)
    both = pa.concat_tables([table, method_rankings_of(table.drop(["method", "masked"]), "tuned", masked=False)])
    document, per_user = evaluate_rankings(both, users, ks=(1, 2), n_resamples=20)
    assert (document["users"], document["users_without_targets"], document["targets_in_history"]) == (2, 1, 2)
    assert document["rows"][0]["recall@2"]["mean"] == 1.0
    assert np.isnan(per_user["recall@2"].to_numpy()[1])
    assert document["comparisons"] == []


def test_runs_repeat() -> None:
    users, rankings = noisy_world()
    first, second = (evaluate_rankings(rankings, users, n_resamples=50, random_state=4) for _ in range(2))
    assert first[0] == second[0]
    assert first[1].equals(second[1])


def test_missing_users_are_refused() -> None:
    users, rankings = noisy_world()
    with pytest.raises(ValueError, match="do not cover the test samples"):
        evaluate_rankings(rankings.filter(pc.not_equal(rankings["sample_id"], 3)), users)


def test_the_summary_is_a_table_of_masked_rows() -> None:
    users, rankings = noisy_world()
    document, _ = evaluate_rankings(rankings, users, n_resamples=50)
    lines = metrics_summary_lines(document)
    assert len(lines) == 3 + len(METHODS)
    assert lines[2].startswith("Tuned model")
    assert f"{document['rows'][0]['recall@10']['mean']:.4f}" in lines[2]
    assert "60 test users" in lines[-1]
