from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from coresift.recommenders import with_histories
from coresift.recommenders.dense.sampled_softmax import in_history
from coresift.recommenders.tokens import RaggedIntegers, prompt_tokens


def test_padding_on_the_right_and_mask():
    lists = RaggedIntegers.from_arrow(pa.array([[1, 2, 3], [], [4]]), padding=9)
    ids, mask = lists.padded(torch.tensor([2, 0, 1]))
    assert ids.tolist() == [[4, 9, 9], [1, 2, 3], [9, 9, 9]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1], [0, 0, 0]]


def test_lists_are_cut_to_given_lengths():
    lists = RaggedIntegers.from_arrow(pa.array([[1, 2, 3], [4, 5]]), padding=0, lengths=np.array([2, 5]))
    assert lists.padded(torch.tensor([0, 1]))[0].tolist() == [[1, 2], [4, 5]]
    assert lists.lengths.tolist() == [2, 2]


def test_lists_without_any_value():
    ids, mask = RaggedIntegers.from_arrow(pa.array([[], []], pa.list_(pa.int32())), padding=-1).padded(torch.arange(2))
    assert ids.tolist() == [[-1], [-1]]
    assert not mask.any()


def test_an_empty_prompt_is_named():
    prompts = pa.table({"sample_id": [3, 4], "prompt_length": [2, 0], "input_ids": [[1, 2], [1]]})
    with pytest.raises(ValueError, match="sample 4 has an empty prompt"):
        prompt_tokens(prompts, padding=0)


def test_histories_are_joined_by_sample():
    samples = pa.table({"sample_id": pa.array([0, 1, 2], pa.int32()), "history": [[1], [2, 3], []]})
    prompts = pa.table({"sample_id": pa.array([2, 1], pa.int32())})
    assert with_histories(prompts, samples)["history"].to_pylist() == [[], [2, 3]]
    with pytest.raises(ValueError, match="prompting"):
        with_histories(pa.table({"sample_id": pa.array([7], pa.int32())}), samples)


def test_history_membership_equals_python():
    draw = np.random.default_rng(0)
    candidates, history = torch.from_numpy(draw.integers(30, size=12)), torch.from_numpy(draw.integers(-1, 30, (5, 6)))
    expected = [[c in row for c in candidates.tolist()] for row in history.tolist()]
    assert in_history(candidates, history).tolist() == expected
