"""Click samples against a plain reading of their definition."""

from __future__ import annotations

import random

import pytest

ROWS = [1.0, 5.0, 4.0, 3.0, 4.5, 2.0, 4.0, 3.5, 5.0, 1.0]


def rated_log(seed: int, n_users: int = 8) -> list[dict[str, object]]:
    draw = random.Random(seed)
    rows = [
        {"user_id": user, "item_id": item, "rating": draw.choice(ROWS), "timestamp": 10**12 + draw.randrange(500)}
        for user in range(n_users)
        for item in draw.sample(range(40), draw.randint(3, 30))
    ]
    draw.shuffle(rows)
    return rows


@pytest.mark.parametrize("split", ["per_user_time", "global_time", "leave_one_out"])
@pytest.mark.parametrize("max_history", [0, 3, 7])
def test_every_interaction_is_an_impression_with_all_that_came_before(ingest_rows, split, max_history):
    corpus = ingest_rows(rated_log(max_history), samples="click", split=split, min_history=2, max_history=max_history)
    sequences: dict[int, list[dict]] = {}
    for row in corpus.interactions.to_pylist():
        sequences.setdefault(row["user_id"], []).append(row)
    expected = []
    for user, sequence in sequences.items():
        for place, row in enumerate(sequence):
            before = [past for past in sequence[:place] if past["split"] <= row["split"]]
            if row["split"] == 0 and len(before) < 2:
                continue
            before = before[-max_history:] if max_history else before
            expected.append(
                {
                    "split": row["split"],
                    "user_id": user,
                    "targets": [row["item_id"]],
                    "label": int(row["rating"] >= 4),
                    "timestamp": row["timestamp"],
                    "history": [past["item_id"] for past in before],
                    "history_ratings": [past["rating"] for past in before],
                }
            )
    expected.sort(key=lambda sample: (sample["split"], sample["user_id"]))
    found = corpus.samples.select(list(expected[0])).to_pylist()
    assert found == expected
    assert corpus.samples["sample_id"].to_pylist() == list(range(len(expected)))


def test_the_threshold_of_a_like_is_a_parameter(ingest_rows):
    rows = rated_log(0)
    options = {"samples": "click", "split": "per_user_time"}
    labels = [
        sum(ingest_rows(rows, positive_rating=rating, **options).samples["label"].to_pylist())
        for rating in (2.0, 4.0, 4.5)
    ]
    assert labels[0] > labels[1] > labels[2] > 0


def test_clicks_of_one_kind_only_are_refused(ingest_rows):
    with pytest.raises(ValueError, match=r"0 training samples of label 1 .* set ingestion.positive_rating \(now 9\)"):
        ingest_rows(rated_log(0), samples="click", split="per_user_time", positive_rating=9.0)
