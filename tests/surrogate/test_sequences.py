"""Training sequences: every training item is a target exactly once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from coresift.surrogate.sequences import training_sequences

TABLE = pa.table(
    {
        "user_id": [1, 0, 0, 0, 0, 0, 1, 1],
        "item_id": [7, 10, 11, 12, 13, 14, 8, 9],
        "position": [0, 0, 1, 2, 3, 4, 1, 2],
        "split": [0, 0, 0, 0, 0, 1, 0, 2],
    }
)


def test_inputs_are_targets_shifted_by_one_and_open_with_the_start_token() -> None:
    sequences = training_sequences(TABLE, max_length=10)
    assert sequences.targets.tolist() == [10, 11, 12, 13, 7, 8]
    assert sequences.tokens.tolist() == [0, 11, 12, 13, 0, 8]
    assert sequences.lengths.tolist() == [4, 2]


def test_long_sequences_continue_in_a_further_piece() -> None:
    sequences = training_sequences(TABLE, max_length=3)
    assert sequences.lengths.tolist() == [3, 1, 2]
    assert sequences.tokens[sequences.starts].tolist() == [0, 13, 0]


@pytest.mark.parametrize("tokens_per_batch", [1, 3, 100])
def test_every_position_is_supervised_once_per_epoch(tokens_per_batch: int) -> None:
    sequences = training_sequences(TABLE, max_length=3)
    seen = []
    for tokens, targets, mask in sequences.batches(tokens_per_batch, np.random.default_rng(0)):
        assert tokens.shape == targets.shape == mask.shape
        seen += targets[mask].tolist()
    assert sorted(seen) == [7, 8, 10, 11, 12, 13]


def test_an_empty_training_split_is_refused() -> None:
    with pytest.raises(ValueError, match="no row of the training split"):
        training_sequences(TABLE.slice(5, 1), max_length=3)
