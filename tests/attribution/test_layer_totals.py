from __future__ import annotations

import pytest
import torch
from torch import nn

from coresift.attribution.layer_totals import GhostProduct, SmallProduct, empty_total


@pytest.mark.parametrize("n_calls", [1, 3])
def test_ghost_norms_equal_those_of_the_products(n_calls):
    calls = [(torch.randn(4, length, 12), torch.randn(4, length, 9)) for length in range(5, 5 + n_calls)]
    ghost, product = GhostProduct(), SmallProduct()
    for inputs, gradient in calls:
        ghost.add(inputs, gradient)
        product.add(inputs, gradient)
    expected = sum(torch.einsum("bto,bti->boi", gradient, inputs) for inputs, gradient in calls)
    torch.testing.assert_close(product.product, expected)
    torch.testing.assert_close(ghost.squared_norms(), expected.square().sum((1, 2)), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("shape", "n_positions", "kind"),
    [((512, 8), 40, SmallProduct), ((512, 512), 40, GhostProduct), ((512, 512), 400, SmallProduct)],
)
def test_the_cheaper_way_is_taken(shape, n_positions, kind):
    assert type(empty_total(nn.Linear(*shape), n_positions)) is kind
