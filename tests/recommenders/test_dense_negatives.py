from __future__ import annotations

import pytest
import torch
from recommender_cases import TITLES, prompts_table, small_body, small_tokenizer

from coresift.recommenders import AdapterOptions, DenseRecommender
from coresift.recommenders.adapters import attach_adapter
from coresift.recommenders.dense_negatives import draw_hard_negatives, log_expected_counts, nearest_items


def adapted(**options):
    body = attach_adapter(small_body("llama"), AdapterOptions(r=4, dropout=0.0), random_state=0)
    with torch.no_grad():
        for name, parameter in body.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(len(name)))
    return DenseRecommender(body, small_tokenizer(), TITLES, base_name="tiny", **options)


def loss_of(recommender, prompts, seed=3):
    (batch,) = recommender.batches(prompts, len(prompts))
    return recommender.training_loss(recommender.model.eval(), batch, torch.Generator().manual_seed(seed)), batch


def test_neighbours_are_the_nearest_other_items():
    vectors = torch.nn.functional.normalize(torch.randn(40, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    products = vectors @ vectors.T
    products.fill_diagonal_(-torch.inf)
    assert torch.equal(nearest_items(vectors), products.argsort(dim=1, descending=True)[:, :39])


def test_hard_negatives_are_neighbours_of_their_own_target():
    neighbours = torch.arange(30).reshape(10, 3)
    targets = torch.tensor([4, 9])
    drawn = draw_hard_negatives(targets, neighbours, 5, torch.Generator().manual_seed(0)).reshape(2, 5)
    assert all(
        set(row.tolist()) <= set(neighbours[target].tolist()) for row, target in zip(drawn, targets, strict=True)
    )


def test_hard_negatives_come_from_the_base_model_and_make_the_task_harder():
    prompts = prompts_table(8)
    plain, hard = adapted(negatives=4), adapted(negatives=4, hard_negatives=3)
    bare = DenseRecommender(small_body("llama"), small_tokenizer(), TITLES, base_name="tiny")
    assert torch.equal(hard.neighbours, nearest_items(bare.item_vectors()))
    assert loss_of(hard, prompts)[0].mean() > loss_of(plain, prompts)[0].mean()


def test_the_correction_takes_the_expected_count_from_every_logit():
    prompts = prompts_table(8)
    recommender = adapted(negatives=6, frequency_correction=True)
    losses, batch = loss_of(recommender, prompts)
    drawn = torch.randint(len(TITLES), (6,), generator=torch.Generator().manual_seed(3)).tolist()
    targets = batch["target_id"].tolist()
    expected_count = [8 * targets.count(item) / 8 + 6 / len(TITLES) for item in range(len(TITLES))]
    vectors, queries = recommender.item_vectors(), recommender.embed_prompts(recommender.model, batch)
    for row, target in enumerate(targets):
        allowed = sorted((set(targets) | set(drawn)) - set(batch["history"][row].tolist()) | {target})
        logits = queries[row] @ vectors[allowed].T / 0.05 - torch.tensor([expected_count[i] for i in allowed]).log()
        torch.testing.assert_close(
            losses[row], logits.logsumexp(0) - logits[allowed.index(target)], rtol=1e-4, atol=1e-4
        )


def test_an_item_that_is_never_drawn_stays_finite():
    counts = log_expected_counts(torch.tensor([1.0, 0.0]), batch_size=4, n_random=0)
    assert counts.isfinite().all()


def test_counts_are_those_of_pools_drawn_many_times():
    share, generator = torch.tensor([0.5, 0.3, 0.1, 0.1, 0.0, 0.0]), torch.Generator().manual_seed(0)
    neighbours = torch.tensor([[1, 2], [0, 4], [0, -1], [5, 4], [0, 1], [2, 3]])
    targets = share.multinomial(60_000, replacement=True, generator=generator)
    hard = draw_hard_negatives(targets, neighbours, 3, generator)
    random = torch.randint(6, (2 * 60_000 // 4,), generator=generator)
    pools = torch.cat([targets, hard, random]).bincount(minlength=6) / (60_000 / 4)
    expected = log_expected_counts(share, batch_size=4, n_random=2, n_hard=3, neighbours=neighbours)
    torch.testing.assert_close(expected.exp(), pools, rtol=0.03, atol=0.01)


def test_negatives_without_gradients_leave_the_loss_as_it_is_and_change_the_gradient():
    prompts = prompts_table(6)
    with_gradient, without = adapted(negatives=12), adapted(negatives=12, negative_gradients=False)
    losses = [loss_of(recommender, prompts)[0] for recommender in (with_gradient, without)]
    torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-5)
    gradients = []
    for recommender, loss in zip((with_gradient, without), losses, strict=True):
        loss.sum().backward()
        gradients.append(next(p.grad for n, p in recommender.model.named_parameters() if "lora_B" in n))
    assert not torch.allclose(*gradients)


def test_item_vectors_are_kept_until_a_weight_changes():
    recommender = adapted()
    first = recommender.item_vectors()
    assert recommender.item_vectors() is first
    with torch.no_grad():
        next(p for n, p in recommender.model.named_parameters() if "lora_B" in n).add_(0.1)
    assert not torch.equal(recommender.item_vectors(), first)


def test_an_unknown_pooling_is_named():
    with pytest.raises(ValueError, match="pooling is 'max': use one of mean, last"):
        adapted(pooling="max").item_vectors()
