"""Ranking every method for the test users."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from evaluation_cases import interactions, samples

from coresift.evaluation import (
    PopularityPrior,
    SurrogateScores,
    prior_tuning,
    rank_baselines,
    rank_recommender,
    rank_surrogate,
    rank_with_priors,
)
from coresift.ranking import top_items
from coresift.storage import SCHEMAS, Tensors
from coresift.surrogate import OF_IMPRESSIONS

LOG = interactions([(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 2, 0), (2, 3, 1)])
USERS = samples([[0], [0], [1, 2]], [[1], [2], [0]], splits=[0, 2, 2])
STATES = torch.eye(3)
VECTORS = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.5, 0.6], [1.0, 0.2, 0.1]])


class FixedRecommender:
    """Ranks by fixed prompt vectors, in the order of the prompts it is given."""

    predicts_clicks = scores_items = False

    def rank(self, prompts: pa.Table, k: int, seen: pa.ListArray | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        rows = torch.tensor(prompts["sample_id"].to_pylist())
        return top_items(STATES[rows], VECTORS, k, seen=seen)


class ScoringRecommender(FixedRecommender):
    """Also gives the scores themselves."""

    scores_items = True
    histories: list[list[int]]

    def item_logits(self, prompts: pa.Table):
        self.histories = prompts["history"].to_pylist()
        states = STATES[torch.tensor(prompts["sample_id"].to_pylist())]
        return lambda block: states[block] @ VECTORS.T


def surrogate_tensors(second: str = "a") -> tuple[Tensors, Tensors]:
    states = Tensors({"sample_id": torch.arange(3), "state": STATES}, {"surrogate": "a"})
    return states, Tensors({"item_id": torch.arange(4), "vector": VECTORS}, {"surrogate": second})


def lists(table: pa.Table, method: str, masked: bool) -> list[list[int]]:
    return [row["items"] for row in table.to_pylist() if row["method"] == method and row["masked"] == masked]


def test_baselines_rank_test_users_both_ways() -> None:
    table = rank_baselines(LOG, USERS, 4, k=2)
    assert table.schema == SCHEMAS["method_rankings"]
    assert lists(table, "most_popular", True) == [[1, 2], [0, 3]]
    assert lists(table, "most_popular", False) == [[0, 1], [0, 1]]
    assert lists(table, "popular_recently", True)[0][0] == 3
    assert len(lists(table, "item_knn", True)) == 2


def test_the_surrogate_is_joined_by_sample() -> None:
    states, vectors = surrogate_tensors()
    table = rank_surrogate(USERS, states, vectors, k=2)
    assert lists(table, "surrogate", False) == [[0, 2], [1, 2]]
    assert lists(table, "surrogate", True) == [[2, 3], [3, 0]]


def test_states_of_impressions_rank_nothing() -> None:
    states, vectors = surrogate_tensors()
    states.metadata |= OF_IMPRESSIONS
    with pytest.raises(ValueError, match=r"DIN, which predicts clicks and ranks nothing: set recommender\.name"):
        rank_surrogate(USERS, states, vectors, k=2)


def test_a_recommender_is_joined_by_sample() -> None:
    prompts = pa.table({"sample_id": pa.array([2, 0, 1], pa.int32())})
    table = rank_recommender(FixedRecommender(), prompts, USERS, method="tuned", k=2)
    assert lists(table, "tuned", True) == [[2, 3], [3, 0]]
    assert table["sample_id"].to_pylist() == [1, 2, 1, 2]


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="different trainings"):
        rank_surrogate(USERS, *surrogate_tensors("b"), k=2)
    states, vectors = surrogate_tensors()
    with pytest.raises(ValueError, match="1 test samples have no surrogate state"):
        rank_surrogate(USERS, {name: tensor[:2] for name, tensor in states.items()}, vectors, k=2)
    with pytest.raises(ValueError, match="1 test samples have no prompt"):
        rank_recommender(FixedRecommender(), pa.table({"sample_id": pa.array([1], pa.int32())}), USERS, method="x", k=1)
    with pytest.raises(ValueError, match="no test row"):
        rank_baselines(LOG, USERS.slice(0, 1), 4, k=2)


def test_priors_are_rows_of_their_own_and_need_scores() -> None:
    users = samples([[0], [1], [1, 2]], [[1], [3], [0]], splits=[1, 1, 2])
    users = users.append_column("user_id", pa.array([0, 1, 2], pa.int32()))
    log = interactions([(0, 1, 1), (1, 3, 1), (1, 3, 1), (2, 0, 2)])
    prompts = pa.table({"sample_id": pa.array([2, 0, 1], pa.int32())})
    tuning = prior_tuning(users, log, 4, n_users=2)
    helper = SurrogateScores(*surrogate_tensors())
    given = {"method": "tuned", "k": 2, "tuning": tuning}
    recommender = ScoringRecommender()
    table, chosen = rank_with_priors(recommender, prompts, users, surrogate=helper, **given)
    assert recommender.histories == [[1, 2], [0], [1]]
    assert [entry["method"] for entry in chosen] == ["tuned+prior", "tuned+prior+surrogate"]
    assert table["method"].unique().to_pylist() == ["tuned", "tuned+prior", "tuned+prior+surrogate"]
    bare = rank_recommender(FixedRecommender(), prompts, users, method="tuned", k=2)
    assert table.slice(0, 2)["items"].equals(bare["items"])
    terms = {name: chosen[0][name] for name in ("weight", "smoothing", "surrogate_weight")}
    scores = PopularityPrior(**terms).add_to((STATES[2] @ VECTORS.T)[None], torch.tensor([0.0, 1.0, 0.0, 2.0]))[0]
    unseen = sorted((0, 3), key=lambda item: -float(scores[item]))
    assert lists(table, "tuned+prior", True) == [unseen]
    assert rank_with_priors(FixedRecommender(), prompts, users, **given)[1] == []
