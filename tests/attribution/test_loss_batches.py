"""Batches of any kind that a loss reads, as often as they are needed."""

from __future__ import annotations

from collections import UserDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from influence_cases import SmallNetwork, cross_entropy, made_batches
from torch.nn import functional
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, TensorDataset
from transformers import BatchEncoding

from coresift.attribution import gradient_norms, influence_scores, mean_token_loss
from coresift.attribution.loss_batches import on_device

Example = namedtuple("Example", ["inputs", "label"])


@dataclass(frozen=True)
class Samples:
    inputs: torch.Tensor
    label: torch.Tensor
    name: str = "some"


def losses(model, inputs, label):
    return functional.cross_entropy(model(inputs), label.long(), reduction="none")


def as_tensor(batch):
    """Inputs with the label in a last, further position."""
    label = batch["label"].float()[:, None, None].expand(-1, 1, 4)
    return torch.cat([batch["inputs"], label], dim=1)


KINDS = {
    "tuple": (lambda batch: (batch["inputs"], batch["label"]), lambda model, batch: losses(model, *batch)),
    "list": (lambda batch: [batch["inputs"], batch["label"]], lambda model, batch: losses(model, *batch)),
    "named tuple": (lambda batch: Example(**batch), lambda model, batch: losses(model, batch.inputs, batch.label)),
    "dataclass": (lambda batch: Samples(**batch), lambda model, batch: losses(model, batch.inputs, batch.label)),
    "nested": (lambda batch: ({"x": [batch["inputs"]]}, batch["label"]), lambda m, b: losses(m, b[0]["x"][0], b[1])),
    "encoding": (BatchEncoding, cross_entropy),
    "tensor": (as_tensor, lambda model, batch: losses(model, batch[:, :-1], batch[:, -1, 0])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_every_kind_give_the_scores_and_norms_of_dictionaries(kind):
    torch.manual_seed(1)
    network, (make, loss) = SmallNetwork(), KINDS[kind]
    train, target = made_batches([6, 5], 2), made_batches([4], 3)
    made = [[make(batch) for batch in batches] for batches in (train, target)]
    expected = influence_scores(network, "last", train, target, cross_entropy).scores
    torch.testing.assert_close(influence_scores(network, "last", *made, loss).scores, expected)
    norms = gradient_norms(network, train, "linear", cross_entropy)
    torch.testing.assert_close(gradient_norms(network, made[0], "linear", loss), norms)


@pytest.mark.parametrize("curvature", ["fisher", "hessian"])
def test_a_data_loader_of_pairs_is_read_as_often_as_needed(curvature):
    torch.manual_seed(1)
    network, (batch,) = SmallNetwork(), made_batches([11], 2)
    loader = DataLoader(TensorDataset(batch["inputs"], batch["label"]), batch_size=4)
    options = {"curvature": curvature, "damping": 0.3}
    expected = influence_scores(network, "last", [batch], [batch], cross_entropy, **options).scores
    found = influence_scores(network, "last", loader, loader, lambda model, pair: losses(model, *pair), **options)
    torch.testing.assert_close(found.scores, expected, rtol=1e-4, atol=1e-6)


def test_tensors_move_to_a_device_wherever_they_stand():
    tensor, where = torch.ones(2), torch.device("meta")
    moved = on_device({"a": [tensor, (tensor, "text")], "b": Example(tensor, 3)}, where)
    assert moved["a"][0].is_meta
    assert moved["a"][1][0].is_meta
    assert moved["a"][1][1] == "text"
    assert moved["b"].inputs.is_meta
    assert on_device(Samples(tensor, tensor), where).label.is_meta
    assert on_device(UserDict(a=tensor), where)["a"].is_meta
    assert not tensor.is_meta


class ReadOnce(IterableDataset):
    def __init__(self, batch):
        self.rows = iter(zip(batch["inputs"], batch["label"], strict=True))

    def __iter__(self):
        return self.rows


def test_batches_that_cannot_be_read_again_are_refused():
    torch.manual_seed(1)
    network, (batch,) = SmallNetwork(), made_batches([6], 2)

    def loss(model, pair):
        return losses(model, *pair)

    pairs = [(batch["inputs"], batch["label"])]
    with pytest.raises(ValueError, match=r"^batches can be read only once"):
        influence_scores(network, "last", (pair for pair in pairs), pairs, loss)
    with pytest.raises(ValueError, match="target_batches can be read only once"):
        influence_scores(network, "last", pairs, iter(pairs), loss)
    with pytest.raises(ValueError, match="shuffle=False"):
        influence_scores(network, "last", DataLoader(TensorDataset(*pairs[0]), shuffle=True), pairs, loss)
    with pytest.raises(ValueError, match="a single batch"):
        influence_scores(network, "last", batch, [batch], cross_entropy)
    once = DataLoader(ReadOnce(batch), batch_size=3)
    with pytest.raises(ValueError, match="were 2 at first and 0 when read again"):
        influence_scores(network, "last", once, pairs, loss, curvature="hessian")


def test_the_language_models_own_loss_asks_for_dictionaries():
    with pytest.raises(ValueError, match="no 'labels'"):
        mean_token_loss(SmallNetwork(), (torch.ones(2), torch.ones(2)))


def test_batches_that_a_sampler_of_batches_shuffles_are_refused():
    data = TensorDataset(torch.randn(20, 3), torch.zeros(20))
    loader = DataLoader(data, batch_sampler=BatchSampler(RandomSampler(data), 5, False))
    with pytest.raises(ValueError, match="in another order every time"):
        influence_scores(torch.nn.Linear(3, 1), "", loader, loader, lambda m, b: m(b[0])[:, 0])


def test_no_batches_are_one_sentence_and_a_target_without_gradient_asks_for_nothing():
    inputs = torch.randn(6, 4)
    with pytest.raises(ValueError, match="holds no sample to score"):
        influence_scores(torch.nn.Linear(4, 1), "", [], [inputs], lambda m, b: m(b)[:, 0].square())
    linear = torch.nn.Linear(4, 1)
    target = [(inputs, linear(inputs)[:, 0].detach())]
    batches = [(inputs, torch.zeros(6))]
    loss = lambda m, b: (m(b[0])[:, 0] - b[1]).square()  # noqa: E731
    found = influence_scores(linear, "", batches, target, loss, solver="lissa")
    assert len(found.scores) == 6 and not found.scores.any()
