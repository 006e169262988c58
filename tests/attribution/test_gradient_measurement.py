from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from gradient_cases import dense_recommender
from recommender_cases import prompts_table

from coresift.attribution import gradient_features, gradient_norms, measure_gradients
from coresift.attribution.gradient_measurement import measure_in_shards, order_by_length
from coresift.attribution.gradient_pass import BatchGradients
from coresift.storage import Shards

LENGTHS = [3, 9, 1, 4, 7, 2, 8, 8, 5, 6]


def prompts_of(prompt_lengths, response_lengths):
    whole = [[0] * sum(pair) for pair in zip(prompt_lengths, response_lengths, strict=True)]
    return pa.table(
        {
            "sample_id": pa.array(range(len(whole)), pa.int32()),
            "prompt_length": pa.array(prompt_lengths, pa.int32()),
            "input_ids": pa.array(whole, pa.list_(pa.int32())),
            "split": pa.array([0] * len(whole), pa.int8()),
        }
    )


PROMPTS = prompts_of(LENGTHS, [1] * 10)


def lengths_as_norms(rows, batch_size, seen=None):
    for start in range(0, len(rows), batch_size):
        batch = rows.slice(start, batch_size)["prompt_length"].to_pylist()
        if seen is not None:
            seen.append(batch)
        yield BatchGradients(torch.tensor(batch, dtype=torch.float32), None)


def test_rows_come_back_by_sample_and_similar_lengths_are_measured_together(tmp_path):
    seen = []
    measured = measure_in_shards(
        lambda rows, size: lengths_as_norms(rows, size, seen), PROMPTS, Shards(tmp_path), batch_size=4
    )
    spans = [max(batch) - min(batch) for batch in seen]
    assert [len(batch) for batch in seen] == [4, 4, 2]
    assert max(spans) <= 4
    assert measured["sample_id"].tolist() == list(range(10))
    assert measured["gradient_norm"].tolist() == LENGTHS


def test_batches_are_alike_in_both_lengths():
    draw = np.random.default_rng(0)
    prompts = prompts_of(draw.integers(1, 100, 2000).tolist(), draw.integers(1, 33, 2000).tolist())
    order = order_by_length(prompts, 20)
    assert sorted(order) == list(range(2000))
    whole = np.array([len(ids) for ids in prompts["input_ids"].to_pylist()])
    first = np.asarray(prompts["prompt_length"])
    for lengths in (first, whole - first, whole):
        padded = lengths[order].reshape(-1, 20).max(1).sum() * 20
        assert padded < 1.25 * lengths.sum()


def test_a_killed_pass_goes_on_after_the_last_whole_shard(tmp_path):
    def killed_at_the_third_batch(rows, batch_size):
        for number, gradients in enumerate(lengths_as_norms(rows, batch_size)):
            if number == 2:
                raise KeyboardInterrupt
            yield gradients

    options = {"batch_size": 2, "shard_size": 3}
    with pytest.raises(KeyboardInterrupt):
        measure_in_shards(killed_at_the_third_batch, PROMPTS, Shards(tmp_path), **options)
    seen = []
    measured = measure_in_shards(
        lambda rows, size: lengths_as_norms(rows, size, seen), PROMPTS, Shards(tmp_path), **options
    )
    assert [len(batch) for batch in seen] == [2, 2, 2]
    assert measured["gradient_norm"].tolist() == LENGTHS


def test_two_passes_at_once_over_equal_prompts_both_end_well_and_so_does_every_later_one(tmp_path):
    options = {"batch_size": 2, "shard_size": 3}
    others = []

    def beside_another(rows, batch_size):
        for number, gradients in enumerate(lengths_as_norms(rows, batch_size)):
            if number == 2:
                others.append(measure_in_shards(lengths_as_norms, PROMPTS, Shards(tmp_path), **options))
            yield gradients

    first = measure_in_shards(beside_another, PROMPTS, Shards(tmp_path), **options)
    seen = []
    later = measure_in_shards(
        lambda rows, size: lengths_as_norms(rows, size, seen), PROMPTS, Shards(tmp_path), **options
    )
    for measured in (first, *others, later):
        assert measured["sample_id"].tolist() == list(range(10))
        assert measured["gradient_norm"].tolist() == LENGTHS
    assert not seen
    assert all(path.name.startswith("shard-") for path in tmp_path.iterdir())


@pytest.mark.parametrize("poison", ["doubled", "cut off"])
def test_poisoned_shards_are_measured_again(tmp_path, poison, caplog):
    options = {"batch_size": 2, "shard_size": 3}
    measure_in_shards(lengths_as_norms, PROMPTS, Shards(tmp_path), **options)
    first, second, *_ = Shards(tmp_path).files
    second.write_bytes(first.read_bytes() if poison == "doubled" else second.read_bytes()[:-3])
    seen = []
    measured = measure_in_shards(
        lambda rows, size: lengths_as_norms(rows, size, seen), PROMPTS, Shards(tmp_path), **options
    )
    assert sum(map(len, seen)) == 6
    assert measured["sample_id"].tolist() == list(range(10))
    assert measured["gradient_norm"].tolist() == LENGTHS
    assert "they are made again" in caplog.text


def test_a_batch_that_does_not_fit_is_halved(tmp_path, caplog):
    seen = []

    def three_fit(rows, batch_size):
        for gradients in lengths_as_norms(rows, batch_size, seen):
            if len(gradients.norms) > 3 and len(seen) > 1:
                raise torch.OutOfMemoryError
            yield gradients

    measured = measure_in_shards(three_fit, PROMPTS, Shards(tmp_path), batch_size=5)
    assert [len(batch) for batch in seen] == [5, 5, 3, 2]
    assert measured["gradient_norm"].tolist() == LENGTHS
    assert "continuing with 3 samples a batch" in caplog.text


def test_no_training_sample_gives_no_norm(tmp_path):
    measured = measure_in_shards(lengths_as_norms, PROMPTS.slice(0, 0), Shards(tmp_path), batch_size=4)
    assert {name: len(tensor) for name, tensor in measured.items()} == {"sample_id": 0, "split": 0, "gradient_norm": 0}


def prompts_of_three_splits():
    prompts = prompts_table(14)
    splits = pa.array([0] * 8 + [1] * 4 + [2] * 2, pa.int8())
    return prompts.set_column(prompts.column_names.index("split"), "split", splits)


def test_one_pass_gives_norms_of_training_and_features_of_validation_samples_too(tmp_path):
    recommender = dense_recommender(tmp_path)
    prompts = prompts_of_three_splits()
    norms, features = measure_gradients(
        recommender.model,
        prompts,
        Shards(tmp_path),
        batches=recommender.batches,
        loss=recommender.sample_loss,
        batch_size=3,
        feature_dimensions=24,
    )
    assert norms["sample_id"].tolist() == list(range(8))
    assert features["sample_id"].tolist() == list(range(12))
    whole = recommender.batches(prompts.slice(0, 12), 12)
    expected = gradient_norms(recommender.model, whole, loss=recommender.sample_loss)
    torch.testing.assert_close(norms["gradient_norm"], expected[:8], rtol=1e-5, atol=0)
    expected = gradient_features(recommender.model, whole, 24, loss=recommender.sample_loss)
    torch.testing.assert_close(features["feature"], expected, rtol=1e-4, atol=1e-5)


def test_features_not_asked_for_are_empty_and_those_of_linears_are_refused(tmp_path):
    recommender = dense_recommender(tmp_path)
    options = {"batches": recommender.batches, "loss": recommender.sample_loss}
    _, features = measure_gradients(recommender.model, prompts_of_three_splits(), Shards(tmp_path), **options)
    assert features["feature"].shape == (0, 0)
    with pytest.raises(ValueError, match="made of LoRA gradients"):
        measure_gradients(
            recommender.model,
            prompts_of_three_splits(),
            Shards(tmp_path),
            parameters="linear",
            feature_dimensions=8,
            **options,
        )
