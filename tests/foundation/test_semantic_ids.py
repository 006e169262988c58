from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
import torch

from coresift.foundation import SemanticIdOptions, learn_semantic_ids
from coresift.foundation.residual_quantizer import ResidualQuantizer, train_quantizer
from coresift.foundation.semantic_ids import with_spread_last_codes
from coresift.storage import SCHEMAS

QUICK = SemanticIdOptions(levels=2, codebook_size=8, latent=8, steps=200, batch_size=64)

SHORT = replace(QUICK, steps=10)


def clustered(n_groups=8, per_group=12, width=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centers = torch.nn.functional.normalize(torch.randn(n_groups, width, generator=generator), dim=1)
    spread = 0.15 * torch.randn(n_groups, per_group, width, generator=generator)
    vectors = (centers[:, None] + spread).reshape(-1, width)
    return {"item_id": torch.arange(len(vectors)), "vector": vectors}


def codes_of(table):
    return np.array(table["codes"].to_pylist())


def test_no_two_items_have_the_same_codes_and_similar_items_share_the_first():
    table = learn_semantic_ids(clustered(), options=QUICK)
    codes = codes_of(table)
    assert table.schema == SCHEMAS["semantic_ids"]
    assert codes.shape == (96, 3)
    assert len(np.unique(codes, axis=0)) == 96
    groups = codes[:, 0].reshape(8, 12)
    shared = np.mean([np.bincount(group).max() / 12 for group in groups])
    assert shared > 0.8
    assert len(np.unique(codes[:, 0])) >= 6


def test_equal_texts_share_the_first_code_and_are_told_apart_by_the_others():
    vectors = clustered(2, 2)
    vectors["vector"][[1, 3]] = vectors["vector"][0].clone()
    codes = codes_of(learn_semantic_ids(vectors, options=SHORT))
    assert (codes[[1, 3], 0] == codes[0, 0]).all()
    assert len(np.unique(codes, axis=0)) == 4
    assert sorted(codes[[0, 1, 3], 2].tolist()) == [0, 0, 1]


def test_last_codes_are_spread_at_the_least_cost_and_only_where_items_agree():
    codes = np.array([[0, 2], [0, 2], [1, 2], [0, 1], [2, 0], [2, 0], [2, 0], [2, 0]])
    distances = np.random.default_rng(0).random((8, 3)).astype(np.float32)
    spread = with_spread_last_codes(codes, distances)
    assert (spread[:, 0] == codes[:, 0]).all()
    assert spread[2].tolist() == [1, 2]
    group = [0, 1, 3]
    costs = {order: distances[group, order].sum() for order in permutations(range(3))}
    assert tuple(spread[group, 1]) == min(costs, key=costs.get)
    assert len(np.unique(spread[4:, 1])) == 3


def test_equal_inputs_give_equal_codes_and_the_seed_matters():
    first, again, other = (learn_semantic_ids(clustered(), options=SHORT, random_state=seed) for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_training_lowers_the_error_below_that_of_one_code_for_all():
    vectors = clustered()["vector"]
    quantizer = train_quantizer(vectors, 8, QUICK, random_state=0)
    with torch.no_grad():
        chosen = torch.stack(quantizer.quantize(quantizer.encoder(vectors))[2]).sum(0)
        error = (quantizer.decoder(chosen) - vectors).square().sum(1).mean()
    assert error < 0.5 * (vectors - vectors.mean(0)).square().sum(1).mean()


def test_dead_codes_come_back_to_life():
    vectors = clustered()["vector"]
    quantizer = ResidualQuantizer(16, 8, QUICK)
    quantizer.start_from_clusters(vectors, 0)
    with torch.no_grad():
        quantizer.codebooks[0, 3] = 1e6
    assert quantizer.revive_dead_codes(vectors, torch.Generator().manual_seed(0)) >= 1
    assert quantizer.codebooks[0, 3].abs().max() < 100


def test_one_text_for_all_items_is_refused():
    with pytest.raises(ValueError, match="at least two different item texts"):
        learn_semantic_ids({"item_id": torch.arange(3), "vector": torch.ones(3, 4)})


def test_the_table_is_sorted_and_small_integers():
    table = learn_semantic_ids(clustered(3, 4), options=SHORT)
    assert table["item_id"].to_pylist() == list(range(12))
    assert table.schema.field("codes").type == pa.list_(pa.int16())


def test_more_items_of_one_text_than_a_code_counts_have_codes_of_their_own():
    n_alike = 2**15 + 200
    vectors = torch.eye(4).repeat_interleave(torch.tensor([n_alike, 1, 1, 1]), dim=0)
    options = SemanticIdOptions(levels=1, codebook_size=2, latent=2, steps=8, batch_size=64)
    table = learn_semantic_ids({"item_id": torch.arange(len(vectors)), "vector": vectors}, options=options)
    codes = np.stack(table["codes"].to_numpy(zero_copy_only=False))
    assert codes.dtype == np.int16
    assert codes.min() == 0
    assert len(np.unique(codes, axis=0)) == len(vectors)
