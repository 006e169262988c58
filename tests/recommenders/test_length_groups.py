from __future__ import annotations

import numpy as np

from coresift.recommenders import LengthGroupedBatches

LENGTHS = np.random.default_rng(0).integers(5, 97, size=1000)


def test_every_sample_comes_once_an_epoch():
    batches = list(LengthGroupedBatches(LENGTHS, 64, random_state=0))
    assert sorted(index for batch in batches for index in batch) == list(range(1000))
    assert len(batches) == len(LengthGroupedBatches(LENGTHS, 64, random_state=0)) == 16


def test_batches_hold_little_padding():
    batches = list(LengthGroupedBatches(LENGTHS, 32, random_state=0))
    padded = sum(LENGTHS[batch].max() * len(batch) for batch in batches)
    assert padded < 1.08 * LENGTHS.sum()


def test_an_epoch_depends_on_its_number_and_the_seed_only():
    sampler = LengthGroupedBatches(LENGTHS, 64, random_state=0)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert first != second
    assert first != list(LengthGroupedBatches(LENGTHS, 64, random_state=1))
