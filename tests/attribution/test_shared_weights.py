"""A weight that several layers hold has one gradient, whose norm, projection and influence are measured."""

from __future__ import annotations

import pytest
import torch
from gradient_cases import VOCABULARY, adapted, token_batch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize
from transformers import LlamaConfig, LlamaForCausalLM

from coresift.attribution import gradient_features, gradient_norms, influence_scores, mean_token_loss
from coresift.attribution.lora_layers import lora_linears
from coresift.attribution.projection import GradientProjection


class Pair(nn.Module):
    """Two square Linears in a row, the first one called twice on request, and a head."""

    def __init__(self, width=6, *, bias=False, twice=False):
        super().__init__()
        self.first, self.second = nn.Linear(width, width, bias=bias), nn.Linear(width, width, bias=bias)
        self.head = nn.Linear(width, 2, bias=False)
        self.twice = twice

    def forward(self, inputs):
        states = torch.tanh(self.first(inputs))
        states = torch.tanh(self.first(states)) if self.twice else states
        return self.head(torch.relu(self.second(states)))


class Wide(nn.Module):
    """A wide layer and its transpose, so that norms of few positions come without forming gradients."""

    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(8, 40, bias=False), nn.Linear(40, 8, bias=False)

    def forward(self, inputs):
        return self.down(torch.tanh(self.up(inputs)))


class Autoencoder(nn.Module):
    """Reads the weight of its only layer through its transpose."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 3, bias=False)

    def forward(self, inputs):
        return functional.linear(torch.tanh(self.encoder(inputs)), self.encoder.weight.t())


def squares(model, batch):
    return model(batch["input_ids"]).square().mean((1, 2))


def batch_of(n_positions=3, width=6):
    return {"input_ids": torch.randn(5, n_positions, width, generator=torch.Generator().manual_seed(1))}


def gradients(model, batch, *weights, loss=squares):
    """One autograd backward pass a sample: the gradients of some parameters."""
    return [torch.autograd.grad(one, weights, retain_graph=True) for one in loss(model, batch)]


def norms_of(samples):
    return torch.stack([sum(part.square().sum() for part in parts).sqrt() for parts in samples])


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("n_positions", [1, 3, 9])
def test_two_linears_with_one_weight_count_as_one(twice, bias, n_positions):
    torch.manual_seed(0)
    model, batch = Pair(bias=bias, twice=twice), batch_of(n_positions)
    model.second.weight = model.first.weight
    if bias:
        model.second.bias = model.first.bias
    expected = norms_of(gradients(model, batch, model.first.weight, model.head.weight))
    torch.testing.assert_close(gradient_norms(model, [batch, batch], "linear", squares), expected.repeat(2))


@pytest.mark.parametrize("n_positions", [1, 12])
@pytest.mark.parametrize("how", ["parameter", "parametrization"])
def test_a_layer_with_the_transpose_adds_to_the_same_gradient(n_positions, how):
    torch.manual_seed(0)
    model, batch = Wide(), batch_of(n_positions, 8)
    if how == "parameter":
        model.down.weight = nn.Parameter(model.up.weight.detach().t())
        samples = gradients(model, batch, model.up.weight, model.down.weight)
        samples = [(up + down.t(),) for up, down in samples]
    else:
        model.down.weight.data = torch.empty(8, 40)
        parametrize.register_parametrization(model.down, "weight", Transposed(model.up))
        samples = gradients(model, batch, model.up.weight)
    torch.testing.assert_close(gradient_norms(model, [batch], "linear", squares), norms_of(samples))


class Transposed(nn.Module):
    def __init__(self, layer):
        super().__init__()
        object.__setattr__(self, "layer", layer)

    def forward(self, _):
        return self.layer.weight.t()


@pytest.fixture
def llama():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4
    )
    return adapted(LlamaForCausalLM(config), ["q_proj", "v_proj"]).eval()


def share_matrices(model, how):
    """Let all value projections have one B: as one module, or as one parameter of modules of their own."""
    layers = [block.self_attn.v_proj for block in model.get_base_model().model.layers]
    for layer in layers[1:]:
        if how == "module":
            layer.lora_B["default"] = layers[0].lora_B["default"]
        else:
            layer.lora_B["default"].weight = layers[0].lora_B["default"].weight


def lora_weights(model):
    return [parameter for name, parameter in model.named_parameters() if "lora_" in name]


@pytest.mark.parametrize("how", ["module", "parameter"])
def test_lora_matrices_that_layers_share_count_once(llama, how):
    share_matrices(llama, how)
    batch = token_batch([5, 9, 3])
    expected = norms_of(gradients(llama, batch, *lora_weights(llama), loss=mean_token_loss))
    torch.testing.assert_close(gradient_norms(llama, [batch]), expected, rtol=1e-5, atol=0)
    shared = llama.get_base_model().model.layers[0].self_attn.v_proj.lora_B["default"].weight
    shared.requires_grad_(True)
    expected = norms_of(gradients(llama, batch, shared, loss=mean_token_loss))
    torch.testing.assert_close(gradient_norms(llama, [batch], "last_lora_b"), expected, rtol=1e-5, atol=0)


def test_features_project_the_gradient_of_a_shared_matrix_once(llama):
    share_matrices(llama, "parameter")
    batch, layers = token_batch([5, 9, 3]), lora_linears(llama, "lora")
    assert len(layers) == len(lora_weights(llama))
    projection = GradientProjection(layers, 16)
    samples = gradients(llama, batch, *(layer.weight for layer in layers.values()), loss=mean_token_loss)
    expected = torch.stack(
        [sum(projection(name, part[None]) for name, part in zip(layers, parts, strict=True))[0] for parts in samples]
    )
    found = gradient_features(llama, [batch], 16)
    torch.testing.assert_close(found, functional.normalize(expected, dim=1), rtol=1e-4, atol=1e-6)


def test_influence_takes_the_whole_gradient_of_a_shared_weight():
    torch.manual_seed(0)
    model, train, target = Pair(), batch_of(), batch_of(2)
    model.second.weight = model.first.weight
    rows, goal = (
        torch.stack([parts[0].flatten() for parts in gradients(model, batch, model.first.weight)]).double()
        for batch in (train, target)
    )
    system = rows.T @ rows / len(rows) + 0.1 * torch.eye(36)
    expected = rows @ torch.linalg.solve(system, goal.mean(0))
    for name in ("first", "second"):
        found = influence_scores(model, name, [train], [target], squares, damping=0.1).scores
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-6)


def test_what_hooks_cannot_see_is_refused():
    batch = batch_of()
    with pytest.raises(ValueError, match="'encoder' is also read outside of Linear layers"):
        gradient_norms(Autoencoder(), [batch], "linear", squares)
    with pytest.raises(ValueError, match="choose other layers"):
        influence_scores(Autoencoder(), "encoder", [batch], [batch], squares)
    model = Pair()
    parametrize.register_parametrization(model.second, "weight", nn.Tanh())
    with pytest.raises(ValueError, match="computed from other parameters"):
        gradient_norms(model, [batch], "linear", squares)
    wide = Wide()
    wide.down.weight = nn.Parameter(wide.up.weight.detach().view(8, 40))
    with pytest.raises(ValueError, match="is also held as"):
        gradient_norms(wide, [batch_of(width=8)], "linear", squares)
    with pytest.raises(ValueError, match="use curvature 'fisher'"):
        wide.down.weight = nn.Parameter(wide.up.weight.detach().t())
        influence_scores(wide, "up", [batch_of(width=8)], [batch_of(width=8)], squares, curvature="hessian")


def test_a_head_tied_to_an_embedding_has_no_influence_of_its_own():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    model = LlamaForCausalLM(config)
    model.lm_head.weight = model.model.embed_tokens.weight
    batch = [token_batch([5, 4])]
    with pytest.raises(ValueError, match="'lm_head' is also read outside of Linear layers"):
        influence_scores(model, "lm_head", batch, batch, mean_token_loss)
