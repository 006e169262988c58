"""Numbers of any type and size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from coresift.compute import as_floats, as_numpy, in_common_unit, unit_of


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int8, torch.bool])
def test_tensors_of_every_type_become_arrays_of_the_same_values(kind):
    tensor = torch.tensor([[0, 1], [1, 0]]).to(kind)
    assert as_numpy(tensor).tolist() == tensor.double().tolist()
    assert as_floats(tensor).dtype in (np.float32, np.float64)


def test_a_tensor_with_a_gradient_and_arrays_in_foreign_byte_order_are_taken():
    assert as_numpy(torch.ones(2, requires_grad=True) * 3).tolist() == [3, 3]
    swapped = np.array([1.5, -2.0], dtype=">f4")
    assert torch.as_tensor(as_numpy(swapped)).tolist() == [1.5, -2.0]


def test_integers_keep_all_their_digits():
    assert as_floats([1, 2**24]).dtype == np.float32
    exact = as_floats(np.array([2**24 + 1, -(2**40) - 1]))
    assert exact.tolist() == [2**24 + 1, -(2**40) - 1]
    assert as_floats(np.array([-(2**63)])).tolist() == [-(2.0**63)]


def test_what_is_no_number_is_refused():
    for values in (["a"], np.array([1j]), np.array(["2020-01-01"], dtype="datetime64[D]")):
        with pytest.raises(ValueError, match="no real numbers"):
            as_numpy(values)


@pytest.mark.parametrize("size", [1e-310, 1e-30, 1e-12, 1.0, 1e15, 1e30, 1.7e308])
def test_a_common_unit_is_an_exact_power_of_two_that_brings_numbers_near_one(size):
    rows = np.array([[size, -size / 2], [0.0, -0.0]])
    (scaled,), unit = in_common_unit(rows)
    assert (scaled * unit == rows).all()
    assert unit == unit_of(rows, torch.as_tensor(rows))
    if 1e-12 <= size <= 1e15:
        assert unit == 1.0
        assert scaled is rows
    else:
        assert 0.5 < np.abs(scaled).max() < 2
