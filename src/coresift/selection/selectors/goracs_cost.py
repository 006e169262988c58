"""The cost that GORACS moves mass at: a representation, surrogate states mixed into it, and a reward per candidate."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from typing_extensions import Doc

from coresift.compute import in_common_unit
from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.selector import both_sides
from coresift.transport import BlockCost

GradientTerm: TypeAlias = Literal["norm", "alignment"]
GradientWeight: TypeAlias = Annotated[
    float, Ge(0), Doc("Worth of the largest gradient norm, in units of the largest distance.")
]


def cost_inputs(
    representation: str, *, state_weight: float = 0.0, gradient_term: str = "norm", gradient_weight: float = 0.0
) -> tuple[str, ...]:
    """Return what of a pool the cost with these options is made of."""
    reward = ("gradient_norm",) if gradient_term == "norm" else both_sides("gradient_feature")
    mixed = both_sides("state") if state_weight else ()
    return both_sides(representation) + mixed + (reward if gradient_weight else ())


def goracs_cost(
    pool: CandidatePool,
    *,
    representation: str = "embedding",
    state_weight: float = 0.0,
    gradient_term: str = "norm",
    gradient_weight: float = 0.0,
    device: str = "auto",
) -> BlockCost:
    """Return the cost between the candidates and the validation samples of a pool.

    Args:
        pool: The candidates with the features that the options need.
        representation: "embedding", "gradient_feature" or "state".
        state_weight: Share in [0, 1] of the surrogate states in the squared distance; see `mixed_representation`.
        gradient_term: What is rewarded: "norm", or "alignment" as in `gradient_alignment`.
        gradient_weight: Worth of the largest gradient term, in units of the largest distance; 0 needs no gradients.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        The cost.

    Raises:
        ValueError: If states would be mixed with themselves.
        MissingInputError: If the pool lacks a feature.
    """
    train, valid = mixed_representation(pool, representation, state_weight, device)
    reward = None
    if gradient_weight:
        reward = pool.require("gradient_norm") if gradient_term == "norm" else gradient_alignment(pool)
    return BlockCost(train, valid, reward, gradient_weight, device=device)


def mixed_representation(
    pool: CandidatePool, representation: str, state_weight: float, device: str = "auto"
) -> tuple[NDArray, NDArray]:
    """Return a representation, with surrogate states mixed in by a given share.

    Both are divided by their largest distance D and set side by side, scaled so that the squared distance of a pair is
    exactly ``(1 - state_weight) * (distance / D)**2 + state_weight * (state distance / D_state)**2``.

    Args:
        pool: The candidates.
        representation: The name of the first part.
        state_weight: Share of the states in [0, 1]; 0 leaves the representation as it is.
        device: Where the largest distances are found.

    Returns:
        (T, d) candidates and (V, d) validation samples.

    Raises:
        ValueError: If states would be mixed with themselves.
        MissingInputError: If the pool lacks a feature.
    """
    if not state_weight:
        return pool.require(representation), pool.require(f"validation_{representation}")
    if representation == "state":
        raise ValueError("state_weight mixes states into another representation: set it to 0 or choose 'embedding'.")
    parts = [
        _scaled(pool, name, share, device)
        for name, share in ((representation, 1.0 - state_weight), ("state", state_weight))
    ]
    return np.hstack([part[0] for part in parts]), np.hstack([part[1] for part in parts])


def gradient_alignment(pool: CandidatePool) -> NDArray[np.float64]:
    """How well the gradient of every candidate points where the mean validation gradient points.

    The alignment is the inner product of a candidate's gradient feature (a unit row) with the direction of the mean
    validation feature. The smallest alignment of the pool is taken from all of them, so that none is negative. All
    selections of one size lose the same by that: which one is best does not change.

    Args:
        pool: The candidates, with the gradient features of both sides.

    Returns:
        (T,) alignments above the smallest one; zeros where the validation gradients cancel out.

    Raises:
        MissingInputError: If the pool lacks gradient features.
    """
    (features, validation), unit = in_common_unit(
        pool.require("gradient_feature"), pool.require("validation_gradient_feature")
    )
    mean = validation.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    if not length:
        return np.zeros(len(pool))
    alignment = (features @ (mean / length).astype(np.result_type(features, np.float32))).astype(np.float64)
    return (alignment - alignment.min()) * unit


def _scaled(pool: CandidatePool, name: str, share: float, device: str) -> tuple[NDArray, NDArray]:
    (train, valid), _ = in_common_unit(pool.require(name), pool.require(f"validation_{name}"))
    factor = np.float32(np.sqrt(share) / BlockCost(train, valid, device=device).distance_scale)
    return train * factor, valid * factor
