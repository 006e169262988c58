"""One ranking gives both the masked and the unmasked list."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from evaluation_cases import IDS

from coresift.evaluation import method_rankings_of, rank_masked_and_unmasked, rankings_table
from coresift.ranking import top_items
from coresift.storage import SCHEMAS


def test_lists_equal_those_ranked_with_and_without_the_mask() -> None:
    generator = np.random.default_rng(0)
    users = torch.from_numpy(generator.integers(-3, 4, (40, 4)).astype(np.float32))
    items = torch.from_numpy(generator.integers(-3, 4, (30, 4)).astype(np.float32))
    seen = pa.array([generator.permutation(30)[:n].tolist() for n in generator.integers(0, 28, 40)], IDS)
    masked, unmasked = rank_masked_and_unmasked(lambda n: top_items(users, items, n), seen, 6)
    for got, expected in ((masked, top_items(users, items, 6, seen=seen)), (unmasked, top_items(users, items, 6))):
        assert torch.equal(got[0], expected[0])
        assert torch.equal(got[1], expected[1])


def test_tables_drop_padding_and_name_the_method() -> None:
    ids, scores = torch.tensor([[4, 2], [7, -1]]), torch.tensor([[0.5, 0.25], [1.0, -torch.inf]])
    table = method_rankings_of(rankings_table(pa.array([3, 9]), ids, scores), "tuned", masked=True)
    assert table.schema == SCHEMAS["method_rankings"]
    assert table["items"].to_pylist() == [[4, 2], [7]]
    assert table["scores"].to_pylist() == [[0.5, 0.25], [1.0]]
    assert table["sample_id"].to_pylist() == [3, 9]
