from __future__ import annotations

import pyarrow as pa
import pytest
import torch

from coresift.attribution import norms_in_shards
from coresift.storage import Shards

PROMPTS = pa.table(
    {
        "sample_id": pa.array(range(10), pa.int32()),
        "prompt_length": pa.array([3, 9, 1, 4, 7, 2, 8, 8, 5, 6], pa.int32()),
    }
)


def length_as_norm(rows):
    return torch.tensor(rows["prompt_length"].to_pylist(), dtype=torch.float32)


def test_rows_come_back_by_sample_and_similar_lengths_are_scored_together(tmp_path):
    seen = []

    def score(rows):
        seen.append(rows["prompt_length"].to_pylist())
        return length_as_norm(rows)

    norms = norms_in_shards(score, PROMPTS, Shards(tmp_path / "shards"), shard_size=4)
    assert seen == [[1, 2, 3, 4], [5, 6, 7, 8], [8, 9]]
    assert norms["sample_id"].tolist() == list(range(10))
    assert norms["gradient_norm"].tolist() == PROMPTS["prompt_length"].to_pylist()


def test_a_killed_pass_goes_on_after_the_last_whole_shard(tmp_path):
    def dies_in_the_second_shard(rows):
        if len(Shards(tmp_path).files) == 1:
            raise KeyboardInterrupt
        return length_as_norm(rows)

    with pytest.raises(KeyboardInterrupt):
        norms_in_shards(dies_in_the_second_shard, PROMPTS, Shards(tmp_path), shard_size=4)
    scored = []

    def score(rows):
        scored.append(len(rows))
        return length_as_norm(rows)

    norms = norms_in_shards(score, PROMPTS, Shards(tmp_path), shard_size=4)
    assert scored == [4, 2]
    assert norms["gradient_norm"].tolist() == PROMPTS["prompt_length"].to_pylist()


def test_no_training_sample_gives_no_norm(tmp_path):
    assert len(norms_in_shards(length_as_norm, PROMPTS.slice(0, 0), Shards(tmp_path))["sample_id"]) == 0
