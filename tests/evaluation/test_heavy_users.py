"""One user with a very long history costs no more than many users with short ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from evaluation_cases import IDS, interactions, samples

from coresift.evaluation import item_knn, most_popular, rank_surrogate
from coresift.evaluation.baselines import _cosine_similarity
from coresift.evaluation.item_similarity import ItemSimilarity
from coresift.evaluation.masked_lists import rank_in_groups
from coresift.evaluation.ranking_evaluation import first_items
from coresift.ranking import top_items
from coresift.storage import Tensors

N_ITEMS = 60


@pytest.fixture
def log():
    """Twenty users of a few items and one who had nearly all."""
    generator = np.random.default_rng(0)
    rows = [(user, int(item), 0) for user in range(20) for item in generator.permutation(N_ITEMS)[:6]]
    return interactions(rows + [(20, item, 0) for item in range(N_ITEMS - 2)])


def dense_similarity(log):
    baskets = np.zeros((21, N_ITEMS))
    baskets[log["user_id"].to_numpy(), log["item_id"].to_numpy()] = 1
    sizes = np.maximum(baskets.sum(0), 1)
    similarity = baskets.T @ baskets / np.sqrt(np.outer(sizes, sizes))
    np.fill_diagonal(similarity, 0)
    return similarity


def test_neighbors_are_the_same_whatever_is_held_and_made_at_once(log, monkeypatch):
    generator = np.random.default_rng(1)
    histories = pa.array([generator.permutation(N_ITEMS)[: row % 14].tolist() for row in range(40)], IDS)
    expected = item_knn(log, N_ITEMS, histories, 7)
    similarity = dense_similarity(log)
    assert _cosine_similarity(log, N_ITEMS).nnz == np.count_nonzero(similarity)
    for row, history in enumerate(histories.to_pylist()):
        summed = similarity[history[-10:]].sum(axis=0)
        np.testing.assert_allclose(expected[1][row], np.sort(summed)[::-1][:7], rtol=1e-5)
    for held, at_once in ((0, 1), (300, 200), (10**6, 50)):
        monkeypatch.setattr("coresift.evaluation.item_similarity.PAIRS_HELD", held)
        monkeypatch.setattr("coresift.evaluation.item_similarity.PAIRS_AT_ONCE", at_once)
        found = item_knn(log, N_ITEMS, histories, 7)
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_pairs_in_memory_are_bounded(log, monkeypatch):
    monkeypatch.setattr("coresift.evaluation.item_similarity.PAIRS_HELD", 400)
    monkeypatch.setattr("coresift.evaluation.item_similarity.PAIRS_AT_ONCE", 200)
    made = []
    plain = ItemSimilarity._together

    def counting(self, items):
        found = plain(self, items)
        made.append((len(items), found.nnz))
        return found

    monkeypatch.setattr(ItemSimilarity, "_together", counting)
    item_knn(log, N_ITEMS, pa.array([list(range(N_ITEMS))] * 5 + [[1, 2]] * 30, IDS), 5)
    assert made
    assert all(pairs <= 200 + N_ITEMS for _, pairs in made)


def test_lists_are_as_long_as_users_of_like_histories_need(monkeypatch):
    monkeypatch.setattr("coresift.evaluation.masked_lists.COMMON_LENGTH", 8)
    generator = np.random.default_rng(0)
    users, items = (torch.from_numpy(generator.normal(size=(count, 4)).astype(np.float32)) for count in (30, 50))
    lengths = [int(length) for length in generator.integers(0, 5, 30)]
    lengths[4], lengths[17] = 40, 12
    seen = pa.array([generator.permutation(50)[:length].tolist() for length in lengths], IDS)
    asked = []

    def rank(rows, n):
        asked.append((len(rows), n))
        return top_items(users[torch.from_numpy(rows)], items, n)

    masked, unmasked = rank_in_groups(rank, seen, 4)
    assert asked == [(28, 8), (1, 16), (1, 44)]
    for found, expected in ((masked, top_items(users, items, 4, seen=seen)), (unmasked, top_items(users, items, 4))):
        assert torch.equal(found[0], expected[0])
        torch.testing.assert_close(found[1], expected[1])


def test_baselines_and_the_surrogate_rank_heavy_users_apart(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    users = samples([[1], list(range(40)), [2, 3], []], [[4], [5], [6], [7]])
    states = Tensors({"sample_id": torch.arange(4), "state": torch.randn(4, 3, generator=generator)})
    vectors = Tensors({"item_id": torch.arange(50), "vector": torch.randn(50, 3, generator=generator)})
    log = interactions([(user, item, 0) for user in range(3) for item in range(user, 45, user + 2)])
    expected = rank_surrogate(users, states, vectors, k=3)
    popular = most_popular(log, 50, 4, 3, seen=users["history"])
    monkeypatch.setattr("coresift.evaluation.masked_lists.COMMON_LENGTH", 8)
    assert rank_surrogate(users, states, vectors, k=3)["items"].equals(expected["items"])
    found = most_popular(log, 50, 4, 3, seen=users["history"])
    assert all(torch.equal(one, other) for one, other in zip(found, popular, strict=True))


def test_only_the_first_items_of_a_long_list_are_laid_out():
    items = pa.chunked_array([pa.array([[3, -1, 1, 2], [], None], IDS), pa.array([list(range(10_000))], IDS)])
    assert first_items(items, 3).tolist() == [[3, 1, 2], [-1, -1, -1], [-1, -1, -1], [0, 1, 2]]
