from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from torch.nn.functional import normalize

from coresift.recommenders.dense.history_vectors import with_history_vectors
from coresift.recommenders.tokens import RaggedIntegers

HISTORIES = [[3, 1, 4], [], [5], [2, 2]]


def lists(values):
    return RaggedIntegers.from_arrow(pa.array(values, pa.list_(pa.int32())), padding=-1)


def unit_vectors(count, seed):
    return normalize(torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_the_newest_item_counts_most_and_a_query_without_history_stays():
    queries, items = unit_vectors(4, seed=0), unit_vectors(6, seed=1)
    found = with_history_vectors(queries, lists(HISTORIES), items, share=0.3, decay=0.5)
    for row, history in enumerate(HISTORIES):
        if not history:
            assert torch.equal(found[row], queries[row])
            continue
        summed = sum(0.5**age * items[item] for age, item in enumerate(reversed(history)))
        expected = normalize(0.7 * queries[row] + 0.3 * normalize(summed, dim=0), dim=0)
        torch.testing.assert_close(found[row], expected)


def test_the_ends_of_the_share_are_the_query_and_the_history():
    queries, items = unit_vectors(1, seed=0), unit_vectors(6, seed=1)
    assert torch.equal(with_history_vectors(queries, lists([[5]]), items, share=0.0, decay=1.0), queries)
    whole = with_history_vectors(queries, lists([[5]]), items, share=1.0, decay=1.0)
    torch.testing.assert_close(whole, items[5:])


@pytest.mark.parametrize("histories", [[[], []], []])
def test_histories_may_all_be_empty(histories):
    queries = unit_vectors(len(histories), seed=0)
    assert torch.equal(
        with_history_vectors(queries, lists(histories), unit_vectors(6, seed=1), share=0.4, decay=0.75), queries
    )
