from __future__ import annotations

import json

import pytest
import torch
from recommender_cases import TITLES, items_table, prompts_table, small_base_model, small_body, small_tokenizer

from coresift.attribution import gradient_norms
from coresift.recommenders import AdapterOptions, DenseOptions, DenseRecommender, build_recommender


def dense(body, random_state=0, **options):
    given = {"base_name": "tiny", "options": DenseOptions(**options), "random_state": random_state}
    return DenseRecommender(body, small_tokenizer(), TITLES, **given)


def adapted(kind="llama", **options):
    from coresift.recommenders.adapters import attach_adapter

    body = attach_adapter(small_body(kind), AdapterOptions(r=4, dropout=0.2), random_state=0)
    with torch.no_grad():
        for name, parameter in body.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    return dense(body, **options)


@pytest.mark.parametrize("kind", ["llama", "bert"])
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_vectors_do_not_depend_on_batch_or_padding(kind, pooling):
    recommender = dense(small_body(kind), pooling=pooling)
    tokens = recommender.rows(prompts_table(9)).tokens
    together = recommender.encode(tokens, description="", batch_size=9)
    alone = recommender.encode(tokens, description="", batch_size=1)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(9))


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_ranking_equals_the_plain_product_without_seen_items(share):
    recommender = adapted(history_share=share)
    prompts = prompts_table(7)
    scores = recommender.query_vectors(prompts) @ recommender.item_vectors().T
    for row, history in enumerate(prompts["history"].to_pylist()):
        scores[row, history] = -torch.inf
    ids, values = recommender.rank(prompts, 5, prompts["history"].combine_chunks())
    expected = scores.topk(5)
    torch.testing.assert_close(values, expected.values)
    assert torch.equal(ids, expected.indices)


def test_histories_change_what_ranks_and_not_what_is_trained():
    prompts = prompts_table(7)
    alone, mixed = adapted(history_share=0.0), adapted(history_share=0.4)
    assert torch.equal(alone.query_vectors(prompts), alone.prompt_vectors(prompts))
    assert torch.equal(mixed.query_vectors(prompts.drop_columns("history")), mixed.prompt_vectors(prompts))
    assert not torch.allclose(mixed.query_vectors(prompts), mixed.prompt_vectors(prompts), atol=1e-2)
    losses = [it.sample_loss(it.model.eval(), next(iter(it.batches(prompts, 7)))) for it in (alone, mixed)]
    assert torch.equal(*losses)


@pytest.mark.parametrize("kind", ["llama", "bert"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_hook_norms_through_the_dense_loss_equal_autograd(kind, batch_size):
    recommender = adapted(kind)
    model = recommender.model
    batches = recommender.batches(prompts_table(16 if batch_size == 16 else 3), batch_size)
    norms = gradient_norms(model, batches, loss=recommender.sample_loss)
    model.eval()
    oracle = []
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for batch in batches:
        for row in range(len(batch["input_ids"])):
            gradients = torch.autograd.grad(recommender.sample_loss(model, batch)[row], parameters, allow_unused=True)
            oracle.append(sum(gradient.square().sum() for gradient in gradients if gradient is not None).sqrt())
    torch.testing.assert_close(norms, torch.stack(oracle), rtol=1e-5, atol=0)


def test_sample_losses_are_those_of_the_samples_alone():
    recommender = adapted(negatives=20)
    recommender.model.eval()
    prompts = prompts_table(6)
    together = [recommender.sample_loss(recommender.model, batch) for batch in recommender.batches(prompts, 6)]
    alone = [recommender.sample_loss(recommender.model, batch) for batch in recommender.batches(prompts, 1)]
    torch.testing.assert_close(torch.cat(together), torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_training_loss_equals_a_plain_softmax_over_distinct_items_outside_the_history():
    recommender = adapted(negatives=6)
    model = recommender.model.eval()
    (batch,) = recommender.batches(prompts_table(8), 8)
    losses = recommender.training_loss(model, batch, torch.Generator().manual_seed(3))
    drawn = torch.randint(len(TITLES), (6,), generator=torch.Generator().manual_seed(3))
    vectors = recommender.item_vectors()
    queries = recommender.embed_tokens(model, batch["input_ids"], batch["attention_mask"])
    candidates = set(batch["target_id"].tolist()) | set(drawn.tolist())
    for row, target in enumerate(batch["target_id"].tolist()):
        allowed = sorted(candidates - set(batch["history"][row].tolist()) | {target})
        logits = queries[row] @ vectors[allowed].T / 0.05
        expected = logits.logsumexp(0) - logits[allowed.index(target)]
        torch.testing.assert_close(losses[row], expected, rtol=1e-4, atol=1e-4)


def test_fixed_negatives_carry_no_gradient_and_depend_on_the_seed_only():
    batch = next(iter(adapted(negatives=5).batches(prompts_table(2), 2)))
    again = next(iter(adapted(negatives=5).batches(prompts_table(2), 2)))
    other = next(iter(adapted(negatives=5, random_state=1).batches(prompts_table(2), 2)))
    assert not batch["negative_vectors"].requires_grad
    assert torch.equal(batch["negative_ids"], again["negative_ids"])
    assert not torch.equal(batch["negative_ids"], other["negative_ids"])


def test_item_vectors_are_kept_until_a_weight_changes():
    recommender = adapted()
    first = recommender.item_vectors()
    assert recommender.item_vectors() is first
    with torch.no_grad():
        next(p for n, p in recommender.model.named_parameters() if "lora_B" in n).add_(0.1)
    assert not torch.equal(recommender.item_vectors(), first)


def test_a_tuned_adapter_ranks_the_same_after_saving(tmp_path):
    base = small_base_model(tmp_path / "base")
    fresh = build_recommender("dense", base_model=base, items=items_table(), adapter=AdapterOptions(r=4), device="cpu")
    with torch.no_grad():
        for name, parameter in fresh.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.5)
    folder, merged = tmp_path / "adapter", tmp_path / "merged"
    folder.mkdir()
    fresh.save(folder)
    fresh.save_merged(merged)
    loaded = build_recommender("dense", base_model=base, items=items_table(), adapter_folder=folder, device="cpu")
    whole = build_recommender("dense", base_model=merged, items=items_table(), device="cpu")
    prompts = prompts_table(5)
    expected = fresh.rank(prompts, 4)
    torch.testing.assert_close(loaded.rank(prompts, 4), expected)
    torch.testing.assert_close(whole.rank(prompts, 4)[1], expected[1], rtol=1e-4, atol=1e-5)
    untuned = build_recommender("dense", base_model=base, items=items_table(), device="cpu")
    assert not torch.equal(untuned.rank(prompts, 4)[1], expected[1])


def test_the_adapter_folder_is_peft_s_without_machine_or_chance(tmp_path):
    base = small_base_model(tmp_path / "base")
    recommender = build_recommender("dense", base_model=base, items=items_table(), adapter=AdapterOptions())
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        recommender.save(tmp_path / name)
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert files == ["adapter_config.json", "adapter_model.safetensors", "recommender.json"]
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)
    config = json.loads((tmp_path / "one" / "adapter_config.json").read_text())
    assert config["target_modules"] == ["q_proj", "v_proj"]
    assert config["base_model_name_or_path"] == recommender.base_name
    assert str(tmp_path) not in (tmp_path / "one" / "adapter_config.json").read_text()


def test_an_adapter_of_another_model_or_pooling_is_refused(tmp_path):
    base = small_base_model(tmp_path / "base")
    recommender = build_recommender("dense", base_model=base, items=items_table(), adapter=AdapterOptions())
    folder = tmp_path / "adapter"
    folder.mkdir()
    recommender.save(folder)
    with pytest.raises(ValueError, match="tuned with pooling 'mean', not 'last'"):
        build_recommender("dense", base_model=base, items=items_table(), adapter_folder=folder, pooling="last")
    other = small_base_model(tmp_path / "other", "bert")
    with pytest.raises(ValueError, match="tuned with base_model"):
        build_recommender("dense", base_model=other, items=items_table(), adapter_folder=folder)


def test_clear_errors(tmp_path):
    base = small_base_model(tmp_path / "base")
    with pytest.raises(ValueError, match="use one of dense"):
        build_recommender("densest", base_model=base, items=items_table())
    with pytest.raises(ValueError, match=r"no layers named query.*q_proj"):
        options = AdapterOptions(targets=["query"])
        build_recommender("dense", base_model=base, items=items_table(), adapter=options)
    with pytest.raises(ValueError, match="without gaps"):
        build_recommender("dense", base_model=base, items=items_table().slice(1))
    with pytest.raises(ValueError, match="bears no adapter"):
        build_recommender("dense", base_model=base, items=items_table()).save(tmp_path)
    with pytest.raises(ValueError, match=r"recommender\.dense\.pooling is 'max': use one of mean, last"):
        build_recommender("dense", base_model=base, items=items_table(), pooling="max")
    with pytest.raises(ValueError, match="ranks items and predicts no clicks"):
        build_recommender("dense", base_model=base, items=items_table()).click_probabilities(prompts_table(2))
