"""The model: causal, indifferent to padding and batching, differentiable twice."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from coresift.surrogate import SasRec, SasRecConfig

IDS = pa.list_(pa.int32())


@pytest.fixture
def model() -> SasRec:
    model = SasRec(SasRecConfig(n_items=30, dimension=16, max_length=6))
    model.initialize(torch.Generator().manual_seed(0))
    return model.eval()


def test_later_items_do_not_change_earlier_states(model: SasRec) -> None:
    tokens = torch.tensor([[0, 3, 5, 7]])
    changed = torch.tensor([[0, 3, 5, 9]])
    assert torch.allclose(model(tokens)[:, :3], model(changed)[:, :3])
    assert not torch.allclose(model(tokens)[:, 3], model(changed)[:, 3])


def test_states_of_a_mixed_batch_equal_those_encoded_alone(model: SasRec) -> None:
    histories = [[], [1], [2, 3, 4], [5, 6, 7, 8, 9], list(range(10, 22))]
    together = model.encode(pa.array(histories, IDS), tokens_per_batch=8)
    alone = torch.cat([model.encode(pa.array([history], IDS)) for history in histories])
    assert torch.allclose(together, alone, atol=1e-6)


def test_the_state_is_the_training_output_at_the_last_position(model: SasRec) -> None:
    state = model.encode(pa.array([[4, 8]], IDS))
    assert torch.allclose(state, model(torch.tensor([[0, 5, 9]]))[:, -1], atol=1e-6)


def test_only_the_newest_items_are_read(model: SasRec) -> None:
    long, short = model.encode(pa.array([[*range(20)], [*range(14, 20)]], IDS))
    assert torch.allclose(long, short, atol=1e-6)


def test_the_newest_item_has_the_last_position_whatever_the_length(model: SasRec) -> None:
    histories = pa.array([[1], [2, 3], list(range(10, 22))], IDS)
    before = model.encode(histories)
    with torch.no_grad():
        model.positions.weight[0] += 1.0
    oldest = (model.encode(histories) != before).any(1)
    assert oldest.tolist() == [False, False, True]
    with torch.no_grad():
        model.positions.weight[-1] += torch.linspace(0, 1, 16)
    assert (model.encode(histories) - before).abs().sum(1).gt(0.1).all()


def test_encoding_leaves_the_mode_as_it_was(model: SasRec) -> None:
    model.train()
    model.encode(pa.array([[1]], IDS))
    assert model.training


def test_the_influence_module_exists_and_allows_second_derivatives(model: SasRec) -> None:
    weight = model.get_submodule(model.influence_module).weight
    with sdpa_kernel(SDPBackend.MATH):
        loss = model(torch.tensor([[0, 3, 5]])).pow(2).sum()
        (gradient,) = torch.autograd.grad(loss, weight, create_graph=True)
        (product,) = torch.autograd.grad(gradient.pow(2).sum(), weight)
    assert product.shape == weight.shape
    assert product.abs().sum() > 0


def test_heads_must_divide_the_dimension() -> None:
    with pytest.raises(ValueError, match="no multiple of n_heads"):
        SasRec(SasRecConfig(n_items=3, dimension=10, n_heads=4))
