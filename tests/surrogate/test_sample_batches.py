"""Batches and losses for influence scores."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
import torch.nn.functional as F
from click_world import N_ITEMS as CLICKED_ITEMS
from click_world import click_samples, profiles
from surrogate_world import N_ITEMS, World
from torch.nn.attention import SDPBackend, sdpa_kernel

from coresift.attribution import influence_scores
from coresift.attribution.linear_gradients import LinearProblem, sample_gradients
from coresift.surrogate import (
    SasRec,
    SasRecConfig,
    TrainedSurrogate,
    din_states,
    influence_batches,
    sample_losses,
    surrogate_batches,
    train_click_surrogate,
)
from coresift.surrogate.sample_scores import first_targets


def test_batches_keep_the_order_and_can_be_read_twice(world: World) -> None:
    batches = surrogate_batches(world.samples, batch_size=32, split=1)
    valid = world.samples.filter(pc.equal(world.samples["split"], 1))
    for _ in range(2):
        ids = torch.cat([batch["sample_id"] for batch in batches])
        assert ids.tolist() == valid["sample_id"].to_pylist()
    assert len(batches) == len(list(batches))


def test_losses_are_cross_entropy_whatever_the_batch(world: World, trained: TrainedSurrogate) -> None:
    train = world.samples.filter(pc.equal(world.samples["split"], 0))
    logits = trained.model.encode(train["history"]) @ trained.model.item_vectors.detach().T
    expected = F.cross_entropy(logits, first_targets(train), reduction="none")
    for batch_size in (7, 1000):
        batches = surrogate_batches(world.samples, batch_size=batch_size)
        losses = torch.cat([sample_losses(trained.model, batch) for batch in batches]).detach()
        assert torch.allclose(losses, expected, atol=1e-4)


def test_losses_can_be_differentiated_twice(world: World, trained: TrainedSurrogate) -> None:
    weight = trained.model.get_submodule(trained.model.influence_module).weight
    batch = next(iter(surrogate_batches(world.samples, batch_size=16)))
    with sdpa_kernel(SDPBackend.MATH):
        (gradient,) = torch.autograd.grad(sample_losses(trained.model, batch).mean(), weight, create_graph=True)
        (product,) = torch.autograd.grad((gradient * torch.ones_like(gradient)).sum(), weight)
    assert torch.isfinite(product).all()
    assert product.abs().sum() > 0


HISTORIES = pa.array([[], [4], [5, 6], [7, 8, 9, 10]], pa.list_(pa.int32()))


def short_samples(world: World) -> pa.Table:
    rows = world.samples.slice(0, 4)
    for name, values in (("history", HISTORIES), ("targets", pa.array([[1], [2], [3], [11]], HISTORIES.type))):
        rows = rows.set_column(rows.column_names.index(name), name, values)
    return rows


def test_what_is_scored_in_a_sequence(world: World) -> None:
    following = {
        scored: next(iter(surrogate_batches(short_samples(world), scored=scored)))["target"].tolist()
        for scored in ("last", "sequence", "released")
    }
    assert following["last"] == [1, 2, 3, 11]
    assert following["sequence"] == [[-1] * 4, [-1, -1, -1, 2], [-1, -1, 6, 3], [8, 9, 10, 11]]
    assert following["released"] == [[-1] * 3, [-1] * 3, [-1, -1, 6], [8, 9, 10]]


@pytest.mark.parametrize("max_length", [3, 50])
def test_sequence_losses_are_the_mean_over_positions(world: World, max_length: int) -> None:
    model = SasRec(SasRecConfig(n_items=N_ITEMS, dimension=8, max_length=max_length))
    model.initialize(torch.Generator().manual_seed(0))
    model.eval()
    vectors = model.item_vectors.detach()

    @torch.no_grad()
    def plain(sequence: list[int]) -> float:
        inputs = [0, *(item + 1 for item in sequence[:-1])][-max_length:]
        states = model(torch.tensor([inputs]))[0]
        losses = [
            float(F.cross_entropy(vectors @ state, torch.tensor(item)))
            for token, state, item in zip(inputs[::-1], states.flip(0), sequence[::-1], strict=False)
            if token > 0
        ]
        return sum(losses) / max(1, len(losses))

    histories = HISTORIES.to_pylist()
    sequences = {
        "sequence": [[*history, target] for history, target in zip(histories, (1, 2, 3, 11), strict=True)],
        "released": histories,
    }
    for scored, expected in sequences.items():
        (batch,) = surrogate_batches(short_samples(world), scored=scored)
        losses = sample_losses(model, batch).tolist()
        assert losses == pytest.approx([plain(sequence) for sequence in expected], abs=1e-5)
        assert losses[:1] == [0.0]
    assert losses[:2] == [0.0, 0.0]


def test_unknown_scoring_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="scored 'all' is unknown: use last, sequence, released"):
        surrogate_batches(world.samples, scored="all")


def test_gradients_of_the_last_block_are_at_hand(world: World, trained: TrainedSurrogate) -> None:
    problem = LinearProblem(trained.model, trained.model.influence_module, sample_losses)
    (calls,) = problem.calls(surrogate_batches(world.samples.slice(0, 5)))
    gradients = sample_gradients(calls)
    weight = problem.layer.weight
    for row in range(5):
        (batch,) = surrogate_batches(world.samples.slice(row, 1))
        (alone,) = torch.autograd.grad(sample_losses(trained.model, batch).sum(), weight)
        assert torch.allclose(gradients[row], alone.flatten(), atol=1e-6)


@pytest.mark.parametrize("scored", ["last", "sequence", "released"])
def test_a_long_history_widens_no_batch_and_has_the_same_loss(world, scored):
    model = SasRec(SasRecConfig(n_items=40, dimension=8, n_blocks=1, max_length=6)).eval()
    histories = [[item % 40 for item in range(length)] for length in (500, 7, 6, 5, 2)]
    train = world.samples.filter(pc.equal(world.samples["split"], 0)).slice(0, len(histories))
    train = train.set_column(train.column_names.index("history"), "history", pa.array(histories, pa.list_(pa.int32())))
    whole, cut = (
        next(iter(surrogate_batches(train, scored=scored, longest=longest)))
        for longest in (None, model.config.max_length + 1)
    )
    assert cut["history"].shape[1] <= 7
    assert torch.equal(sample_losses(model, cut), sample_losses(model, whole))


def test_influence_of_impressions_is_exact_on_the_last_layer_of_din() -> None:
    samples, users = click_samples(150), profiles()
    model = train_click_surrogate(samples, users, CLICKED_ITEMS, epochs=2, batch_size=32).model
    batches = [influence_batches(model, samples, users, 40, split) for split in (0, 1)]
    assert len(batches[0]) == len(list(batches[0])) == 3
    found = influence_scores(model, model.influence_module, *batches, sample_losses, damping=0.01, solver="dense")
    gradients = []
    for split in (0, 1):
        part = samples.filter(pc.equal(samples["split"], split))
        states, logits = din_states(model, part, users)
        error = logits.sigmoid().double() - torch.tensor(part["label"].to_pylist())
        gradients.append(error[:, None] * states["state"].double())
    fisher = gradients[0].T @ gradients[0] / len(gradients[0])
    inverse = torch.linalg.inv(fisher + 0.01 * torch.eye(len(fisher), dtype=torch.float64))
    expected = gradients[0] @ inverse @ gradients[1].mean(0)
    torch.testing.assert_close(found.scores.double(), expected, rtol=1e-3, atol=1e-6)


def test_losses_of_impressions_are_those_of_their_labels_whatever_the_batch() -> None:
    samples, users = click_samples(90), profiles()
    model = train_click_surrogate(samples, users, CLICKED_ITEMS, epochs=1).model
    part = samples.filter(pc.equal(samples["split"], 2))
    label = torch.tensor(part["label"].to_pylist()).float()
    expected = F.binary_cross_entropy_with_logits(din_states(model, part, users)[1], label, reduction="none")
    for size in (4, 100):
        batches = influence_batches(model, samples, users, size, 2)
        losses = torch.cat([sample_losses(model, batch) for batch in batches]).detach()
        torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)
        assert torch.cat([batch["sample_id"] for batch in batches]).tolist() == part["sample_id"].to_pylist()


def test_an_impression_has_no_losses_of_next_items(world: World, trained: TrainedSurrogate) -> None:
    samples, users = click_samples(90), profiles()
    model = train_click_surrogate(samples, users, CLICKED_ITEMS, epochs=1).model
    with pytest.raises(ValueError, match=r"influence\.scored is 'sequence'.*set it to last"):
        influence_batches(model, samples, users, scored="sequence")
    of_items = influence_batches(trained.model, world.samples, users, 32, scored="sequence")
    assert next(iter(of_items))["target"].ndim == 2
