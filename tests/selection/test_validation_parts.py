from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from coresift.selection import is_for_tuning, without_selection_part, without_tuning_part


def prompts(n_valid=400):
    splits = np.repeat([0, 1, 2], [30, n_valid, 20])
    return pa.table({"sample_id": pa.array(np.arange(len(splits)), pa.int32()), "split": pa.array(splits, pa.int8())})


def ids(table, split):
    return set(table["sample_id"].to_numpy()[table["split"].to_numpy() == split])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_the_parts_are_disjoint_cover_validation_and_leave_other_splits_whole(share):
    selection, tuning = without_tuning_part(prompts(), share), without_selection_part(prompts(), share)
    assert ids(selection, 1) | ids(tuning, 1) == ids(prompts(), 1)
    assert not ids(selection, 1) & ids(tuning, 1)
    assert len(ids(tuning, 1)) == pytest.approx(400 * share, abs=12)
    for split in (0, 2):
        assert ids(selection, split) == ids(tuning, split) == ids(prompts(), split)


def test_without_a_share_both_use_every_sample():
    assert without_tuning_part(prompts(), 0.0) == without_selection_part(prompts(), 0.0) == prompts()


def test_a_part_is_a_function_of_the_id_alone_and_grows_with_the_share():
    sample_id = np.array([2**31 - 1, 0, 7, 123_456_789])
    expected = [int(one) * 2_654_435_761 % 2**32 < 0.3 * 2**32 for one in sample_id]
    assert is_for_tuning(sample_id, 0.3).tolist() == expected
    many = np.arange(5000)
    assert not (is_for_tuning(many, 0.2) & ~is_for_tuning(many, 0.4)).any()


def test_a_share_that_leaves_a_reader_nothing_is_refused():
    with pytest.raises(ValueError, match="leaves selection none of 2 validation samples: lower it"):
        without_tuning_part(prompts(2), 0.999)
    with pytest.raises(ValueError, match="leaves fine-tuning none of 2 validation samples: raise it"):
        without_selection_part(prompts(2), 0.001)
