from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from recommender_cases import TITLES, items_table, prompts_table, small_base_model

from coresift.attribution import gradient_norms
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.personalization import RecLoraConfig
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.storage import SCHEMAS

SHAPE = {"width": 32, "n_layers": 1, "n_heads": 2, "history_length": 2, "dropout": 0.0}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return small_base_model(tmp_path_factory.mktemp("models") / "base")


def semantic_ids():
    """Color, age and thing: the words of a title as codes, and a last code that tells nothing apart here."""
    numbers = np.arange(len(TITLES))
    codes = np.stack([numbers // 10, numbers // 5 % 2, numbers % 5, 0 * numbers], axis=1)
    return pa.table({"item_id": numbers, "codes": codes.tolist()}, schema=SCHEMAS["semantic_ids"])


def built(base, **options):
    fixed = {"base_model": base, "items": items_table(), "device": "cpu", "semantic_ids": semantic_ids()}
    return build_recommender("semantic_id", **(fixed | SHAPE | options))


def test_a_sample_is_the_codes_of_its_latest_items_and_those_of_its_target(base):
    recommender, prompts = built(base), prompts_table(4)
    (batch,) = recommender.batches(prompts, 4)
    tokens = recommender.vocabulary.tokens
    for row, history in enumerate(prompts["history"].to_pylist()):
        assert batch["input_ids"][row].tolist() == [*tokens[history[-2:]].ravel().tolist(), 1]
        assert batch["labels"][row].tolist() == tokens[prompts["target_id"][row].as_py()].tolist()
    assert len({token for item in tokens for token in item}) == recommender.vocabulary.size - 2


def test_short_and_empty_histories_end_at_once(base):
    prompts = prompts_table(3)
    place = prompts.column_names.index("history")
    histories = pa.array([[], [4], [1, 2, 3]], pa.list_(pa.int32()))
    (batch,) = built(base).batches(prompts.set_column(place, "history", histories), 3)
    assert batch["attention_mask"].sum(1).tolist() == [1, 5, 9]
    assert batch["input_ids"][0, 0] == 1


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_wide_enough_beams_equal_the_likelihood_of_every_item_one_by_one(base, tuning):
    recommender, prompts = built(base, tuning=tuning, adapter=AdapterOptions(r=2), beams=100), prompts_table(3)
    ids, scores = recommender.rank(prompts, len(TITLES))
    (batch,) = recommender.batches(prompts, 3)
    tokens = torch.from_numpy(recommender.vocabulary.tokens)
    for row in range(3):
        one = {name: batch[name][row : row + 1].expand(len(TITLES), -1) for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            chances = recommender.model.eval()(**one, labels=tokens).logits.log_softmax(-1)
        expected = chances.gather(2, tokens.unsqueeze(2)).sum((1, 2))
        torch.testing.assert_close(scores[row], expected.sort(descending=True).values, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(expected[ids[row]], scores[row], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("beams", [1, 4])
def test_lists_are_as_long_as_asked_and_leave_the_history_out(base, beams):
    prompts = prompts_table(5)
    seen = prompts["history"].combine_chunks()
    recommender = built(base, beams=beams)
    ids, _ = recommender.rank(prompts, 6)
    assert (ids >= 0).all()
    ids, _ = recommender.rank(prompts, 6, seen)
    assert not any(set(items.tolist()) & set(known) for items, known in zip(ids, seen.to_pylist(), strict=True))


def test_one_item_is_what_one_beam_finds(base):
    recommender, prompts = built(base, beams=1), prompts_table(3)
    assert recommender.rank(prompts, 1)[0].shape == (3, 1)


def test_weights_that_are_trained_are_never_rounded(base):
    assert {weight.dtype for weight in built(base, dtype="bfloat16").model.parameters()} == {torch.float32}


def test_a_mixture_needs_an_adapter(base):
    mixture = RecLoraConfig(state_dim=4)
    with pytest.raises(ValueError, match=r"set recommender\.semantic_id\.tuning to lora"):
        built(base, adapter=AdapterOptions(mixture=mixture))


def test_gradient_norms_of_a_probe_equal_autograd_even_where_training_moves_all_weights(base):
    recommender, prompts = built(base, adapter=AdapterOptions(r=2), probe=True, tuning="full"), prompts_table(4)
    model = recommender.model
    norms = gradient_norms(model, recommender.batches(prompts, 4), loss=recommender.sample_loss)
    (batch,) = recommender.batches(prompts, 4)
    lora = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for loss, norm in zip(recommender.sample_loss(model.eval(), batch), norms, strict=True):
        gradients = torch.autograd.grad(loss, lora, retain_graph=True)
        torch.testing.assert_close(norm, sum(part.square().sum() for part in gradients).sqrt(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_training_learns_and_the_saved_model_ranks_the_same(base, tuning, tmp_path):
    prompts, watched = prompts_table(64), prompts_table(30, seed=2)
    targets = ["q", "v", "o", "wi", "wo"]
    recommender = built(base, tuning=tuning, adapter=AdapterOptions(r=8, dropout=0.0, targets=targets), beams=10)

    def hits(model):
        ids, _ = model.rank(watched, 8, watched["history"].combine_chunks())
        return np.mean([target in row for target, row in zip(watched["target_id"].to_pylist(), ids, strict=True)])

    before = hits(recommender)
    training = FineTuningOptions(epochs=12, min_steps=1, batch_size=32, learning_rate=1e-2, validation_samples=0)
    tuned = fine_tune(recommender, prompts, coreset=None, work_folder=tmp_path / "work", options=training)
    assert hits(recommender) > before
    loaded = built(base, tuning=tuning, adapter_folder=tuned.folder, beams=10)
    assert torch.equal(loaded.rank(watched, 8)[1], recommender.rank(watched, 8)[1])
    names = {file.name for file in tuned.folder.iterdir()}
    assert ("model.safetensors" in names) == (tuning == "full")
    assert ("adapter_model.safetensors" in names) == (tuning == "lora")
    assert not loaded.options.predicts_clicks and loaded.options.reads_semantic_ids


def test_the_untuned_model_is_a_function_of_the_seed(base):
    weights = [next(built(base, random_state=seed).model.parameters()) for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_clear_errors(base, tmp_path):
    with pytest.raises(ValueError, match=r"run the foundation pipeline with recommender.name semantic_id"):
        built(base, semantic_ids=None)
    with pytest.raises(ValueError, match="use a multiple of n_heads"):
        built(base, width=33)
    with pytest.raises(ValueError, match="use one of full, lora"):
        built(base, tuning="some")
    with pytest.raises(ValueError, match="semantic_id trains its own: set dtype to auto"):
        built(base, dtype="nf4")
    with pytest.raises(ValueError, match="reads histories, not prompts"):
        built(base).rows(prompts_table(2).drop_columns("history"))
    built(base, adapter=AdapterOptions()).save(tmp_path)
    with pytest.raises(ValueError, match="tuned with history_length 2, not 5"):
        built(base, adapter_folder=tmp_path, history_length=5)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ValueError, match=r"holds no adapter_model\.safetensors"):
        built(base, adapter_folder=tmp_path)
