from __future__ import annotations

import pytest
import torch
from gradient_cases import gradients_one_by_one, library_loss, mean_state_loss, token_batch, unpadded_samples
from torch import nn

from coresift.attribution import GradientProjection, gradient_features
from coresift.attribution.lora_layers import lora_linears

LENGTHS = [5, 9, 3, 12, 7, 4, 8, 8, 10, 3, 6, 11, 5, 9, 4, 7]


def all_lora(name):
    return "lora_" in name


def whole_matrix(projection, name, layer):
    """The linear map of one layer, as rows for the entries of its flattened weight."""
    size = layer.weight.numel()
    return projection(name, torch.eye(size).view(size, *layer.weight.shape))


def projected_oracle(model, samples, loss, projection):
    layers = lora_linears(model, "lora")
    matrices = {f"{name}.weight": whole_matrix(projection, name, layer) for name, layer in layers.items()}
    rows = [
        sum(gradient.flatten() @ matrices[name] for name, gradient in gradients.items())
        for gradients in gradients_one_by_one(model, samples, loss, all_lora)
    ]
    return torch.stack([row / row.norm() for row in rows])


@pytest.mark.parametrize("dimensions", [16, 300])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_features_equal_projected_autograd_gradients(llama, dimensions, side, batch_size):
    cuts = [LENGTHS[start : start + batch_size] for start in range(0, 16, batch_size)][:3]
    batches = [token_batch(cut, side=side, seed=number) for number, cut in enumerate(cuts)]
    projection = GradientProjection(lora_linears(llama, "lora"), dimensions, random_state=5)
    features = gradient_features(llama, batches, dimensions, random_state=5)
    oracle = projected_oracle(llama, unpadded_samples(batches), library_loss, projection)
    torch.testing.assert_close(features, oracle, rtol=1e-4, atol=1e-5)


def test_features_of_layers_called_twice_equal_projected_autograd_gradients(bert):
    batches = [token_batch(LENGTHS[:6])]
    projection = GradientProjection(lora_linears(bert, "lora"), 32)
    features = gradient_features(bert, batches, 32, loss=mean_state_loss)
    oracle = projected_oracle(bert, batches, mean_state_loss, projection)
    torch.testing.assert_close(features, oracle, rtol=1e-4, atol=1e-5)


def test_inner_products_approximate_the_cosines_of_the_gradients(llama):
    batches = [token_batch(LENGTHS)]
    gradients = [
        torch.cat([gradient.flatten() for gradient in sample.values()])
        for sample in gradients_one_by_one(llama, unpadded_samples(batches), library_loss, all_lora)
    ]
    exact = nn.functional.normalize(torch.stack(gradients), dim=1)
    pairs = torch.triu_indices(16, 16, 1)
    cosines = (exact @ exact.T)[pairs[0], pairs[1]]
    errors = []
    for dimensions in (128, 2048):
        features = gradient_features(llama, batches, dimensions)
        errors.append(((features @ features.T)[pairs[0], pairs[1]] - cosines).square().mean().sqrt())
        assert errors[-1] < 2 * dimensions**-0.5
    assert errors[1] < errors[0]


@pytest.mark.parametrize("shapes", [[(3, 40), (40, 3)], [(6, 6)]])
def test_squared_norms_are_kept_in_expectation(shapes):
    layers = {str(number): nn.Linear(n_in, n_out) for number, (n_out, n_in) in enumerate(shapes)}
    gradients = {name: torch.randn(1, *layer.weight.shape) for name, layer in layers.items()}
    exact = sum(gradient.square().sum() for gradient in gradients.values())
    ratios = []
    for seed in range(400):
        projection = GradientProjection(layers, 8, random_state=seed)
        ratios.append(sum(projection(name, gradients[name]) for name in layers).square().sum() / exact)
    spread = torch.stack(ratios).std() / len(ratios) ** 0.5
    assert abs(torch.stack(ratios).mean() - 1) < 3 * spread


def test_features_depend_neither_on_company_nor_on_padding_and_follow_the_seed(llama):
    batches = [token_batch([4, 9, 6])]
    wide = {name: nn.functional.pad(tensor, (0, 7)) for name, tensor in batches[0].items()}
    wide["labels"][:, 9:] = -100
    features = gradient_features(llama, batches, 64)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(gradient_features(llama, [wide], 64), features, rtol=1e-4, atol=1e-5)
    alone = gradient_features(llama, list(unpadded_samples(batches)), 64)
    torch.testing.assert_close(alone, features, rtol=1e-4, atol=1e-5)
    assert torch.equal(gradient_features(llama, batches, 64), features)
    assert not torch.allclose(gradient_features(llama, batches, 64, random_state=1), features, atol=0.1)


def test_the_papers_matrix_has_features_too(llama):
    features = gradient_features(llama, [token_batch([5, 6])], 40, "last_lora_b")
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))
    assert gradient_features(llama, [], 40).shape == (0, 40)


def test_clear_errors(llama):
    with pytest.raises(ValueError, match="at least 1"):
        gradient_features(llama, [token_batch([4])], 0)
    with pytest.raises(ValueError, match="use one of lora, last_lora_b"):
        gradient_features(llama, [token_batch([4])], 8, "linear")
