"""The cost of serving a validation row with a training row, one block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from coresift.compute import resolve_device, unit_of
from coresift.transport.input_checks import as_norms, as_rows, check_scale, scaled_norms

NEAR = 1e-3
DIFFERENCE_ENTRIES = 2**22
BLOCK_ENTRIES = {"cpu": 2**21, "cuda": 2**26}
RELATIVE_ROUNDING = 4e-6
LARGEST_COST = 1e37
"""Costs of which float32 can hold sums of a few."""


class BlockCost:
    """Costs between T training rows and V validation rows, of which only blocks are ever held.

    ``C_ij = |train_i - valid_j| / distance_scale - gradient_weight * g_i / max(g)``, the cost of GORACS
    (arXiv 2506.04015, Eq. 10) in raw units: distances are divided by the largest one and nothing else is rescaled.

    Args:
        train: (T, d) representation of the candidates, float32 (float64 is kept for the exact rows).
        valid: (V, d) representation of the validation rows.
        gradient_norms: (T,) non-negative norms, or None for zeros.
        gradient_weight: How much a large gradient norm is worth, in units of the largest distance.
        distance_scale: A scale to share between several costs; None computes the largest distance when first needed.
        gradient_scale: The largest norm to share between several costs; None takes the largest of `gradient_norms`.
        block_size: Training rows per block; None fits a block in the cache of the device.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ValueError: If shapes do not agree, a value is not finite, a norm is negative, a scale is not above 0 or far
            from all distances, or there are no rows.
    """

    def __init__(
        self,
        train: ArrayLike | torch.Tensor,
        valid: ArrayLike | torch.Tensor,
        gradient_norms: ArrayLike | torch.Tensor | None = None,
        gradient_weight: float = 0.0,
        *,
        distance_scale: float | None = None,
        gradient_scale: float | None = None,
        block_size: int | None = None,
        device: str = "auto",
    ) -> None:
        chosen = resolve_device(device)
        # Apple's GPUs have no float64, which the exact rows need.
        self.device = torch.device("cpu") if chosen.type == "mps" else chosen
        self._train = as_rows(train, "train").to(self.device)
        self._valid = as_rows(valid, "valid").to(self.device)
        self._unit = unit_of(self._train, self._valid)
        if self._unit != 1.0:
            # Squares of very large or small numbers would overflow or vanish in float32.
            self._train, self._valid = self._train.double() / self._unit, self._valid.double() / self._unit
        if self._train.shape[1] != self._valid.shape[1]:
            raise ValueError(
                f"train has {self._train.shape[1]} dimensions and valid {self._valid.shape[1]}: "
                "both need the same representation."
            )
        if not np.isfinite(gradient_weight) or gradient_weight < 0:
            raise ValueError(f"gradient_weight is {gradient_weight}: it must be finite and not negative.")
        check_scale("distance_scale", distance_scale)
        check_scale("gradient_scale", gradient_scale)
        if block_size is not None and block_size < 1:
            raise ValueError(f"block_size is {block_size}: it must be at least 1.")
        self.gradient_weight = float(gradient_weight)
        self._block_size = block_size
        self._given_scale = None if distance_scale is None else distance_scale / self._unit
        self._largest_cost = 1.0 if distance_scale is None else None
        norms = as_norms(gradient_norms, len(self))
        self.gradient_scale = float(norms.max()) if gradient_scale is None else float(gradient_scale)
        self._offset = scaled_norms(norms, self.gradient_weight, self.gradient_scale)
        self._prepare_targets()
        if self._unit != 1.0 and distance_scale is not None:
            self._check_largest_cost(distance_scale)

    def __len__(self) -> int:
        """Return the number of training rows, T."""
        return int(self._train.shape[0])

    @property
    def n_targets(self) -> int:
        """The number of validation rows, V."""
        return int(self._valid.shape[0])

    @property
    def block_size(self) -> int:
        """Training rows per block."""
        entries = BLOCK_ENTRIES["cuda" if self.device.type == "cuda" else "cpu"]
        return self._block_size or max(32, entries // self.n_targets)

    @property
    def distance_scale(self) -> float:
        """The largest distance between a training and a validation row; 1 if all distances are 0."""
        scale = self._found_scale * self._unit or 1.0
        if not np.isfinite(scale):
            raise ValueError(
                "the largest distance is beyond all numbers: divide the representation by its largest one."
            )
        return scale

    @property
    def _scale(self) -> float:
        """The distance scale in units of the rows as they are held."""
        return self._found_scale or 1.0

    @cached_property
    def _found_scale(self) -> float:
        """The scale given, or the largest distance, in units of the rows as they are held.

        A float32 pass with norm bounds finds every row that rounding allows to hold the largest distance; those rows
        are measured again in float64, so that the scale does not depend on the block size.
        """
        if self._given_scale is not None:
            return float(self._given_scale)
        return self._largest_distance(self._rows_that_may_hold_the_largest_distance())

    @property
    def largest_cost(self) -> float:
        """What no cost exceeds but for rounding: 1 in units of the largest distance, more where a scale is smaller."""
        if self._largest_cost is None:
            reach = float(self._row_norms().max()) + float(self._valid_square.max().sqrt())
            self._largest_cost = max(1.0, reach / self._scale)
        return self._largest_cost

    def rows(self, indices: ArrayLike, exact: bool = False) -> NDArray[np.floating]:
        """Return the cost rows of some training rows.

        Args:
            indices: (k,) positions of training rows.
            exact: Measure in float64, to the precision of differences, instead of float32.

        Returns:
            (k, V) costs: float32, or float64 where exact.
        """
        positions = torch.as_tensor(np.asarray(indices, dtype=np.int64), device=self.device)
        if exact:
            return self._exact_rows(positions).cpu().numpy()
        parts = [self._block(chunk).cpu() for chunk in positions.split(self.block_size)]
        return torch.cat(parts).numpy() if parts else np.empty((0, self.n_targets), np.float32)

    def blocks(self, indices: NDArray[np.int64] | None = None) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
        """Streams over the training rows, or over some of them.

        Args:
            indices: (k,) positions to visit in their order; None visits every row.

        Yields:
            The positions of a block and its (b, V) float32 costs on the device.
        """
        positions = np.arange(len(self)) if indices is None else np.asarray(indices, dtype=np.int64)
        for start in range(0, len(positions), self.block_size):
            chunk = positions[start : start + self.block_size]
            contiguous = slice(int(chunk[0]), int(chunk[-1]) + 1)
            yield chunk, self._block(contiguous if indices is None else torch.as_tensor(chunk, device=self.device))

    def subset(self, rows: ArrayLike, targets: ArrayLike) -> BlockCost:
        """Return the cost between some training and some validation rows, in the units of this one.

        Args:
            rows: (k,) positions of training rows.
            targets: (m,) positions of validation rows.

        Returns:
            A cost with this one's distance and gradient scales.
        """
        row_positions = torch.as_tensor(np.asarray(rows, dtype=np.int64), device=self.device)
        target_positions = torch.as_tensor(np.asarray(targets, dtype=np.int64), device=self.device)
        part = BlockCost(
            self._train[row_positions],
            self._valid[target_positions],
            gradient_weight=self.gradient_weight,
            distance_scale=self._scale,
            gradient_scale=self.gradient_scale or None,
            block_size=self._block_size,
            device=str(self.device),
        )
        part._offset, part._largest_cost = self._offset[row_positions], self.largest_cost
        part._unit *= self._unit
        return part

    def _check_largest_cost(self, distance_scale: float) -> None:
        largest = self.largest_cost
        if not largest <= LARGEST_COST or self._scale > LARGEST_COST:
            raise ValueError(
                f"distances in units of distance_scale {distance_scale:g} are beyond float32: divide the "
                "representation and the scale by the representation's largest number."
            )

    def _prepare_targets(self) -> None:
        self._exact_center = self._valid.double().mean(dim=0)
        self._center = self._exact_center.to(torch.float32)
        centered = self._valid.to(torch.float32) - self._center
        self._minus_twice_valid = (-2.0 * centered).T.contiguous()
        self._valid_square = centered.square().sum(dim=1)
        self._offset = self._offset.to(self.device)

    def _squared_distances(self, positions: slice | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        block = self._train[positions].to(torch.float32) - self._center
        squares = block.square().sum(dim=1)
        products = torch.addmm(self._valid_square, block, self._minus_twice_valid)
        return products.add_(squares[:, None]).clamp_(min=0.0), squares

    def _block(self, positions: slice | torch.Tensor) -> torch.Tensor:
        scale = self._scale
        costs = self._squared_distances(positions)[0].sqrt_().mul_(1.0 / scale)
        return costs.sub_(self._offset[positions].to(torch.float32)[:, None]) if self.gradient_weight else costs

    def _exact_rows(self, positions: torch.Tensor) -> torch.Tensor:
        parts = [self._exact_distances(chunk) for chunk in positions.split(self.block_size)]
        distances = torch.cat(parts) if parts else self._valid.new_empty((0, self.n_targets), dtype=torch.float64)
        return distances.div_(self._scale).sub_(self._offset[positions][:, None])

    def _exact_distances(self, positions: torch.Tensor) -> torch.Tensor:
        """Float64 distances: from products where these are precise, from differences where rows nearly coincide."""
        train = self._train[positions].double()
        centered, valid = train - self._exact_center, self._valid.double() - self._exact_center
        sizes = centered.square().sum(dim=1)[:, None] + valid.square().sum(dim=1)
        squares = torch.addmm(sizes, centered, valid.T, alpha=-2.0)
        rows, columns = (squares < NEAR * sizes).nonzero(as_tuple=True)
        for part in torch.arange(len(rows), device=self.device).split(max(1, DIFFERENCE_ENTRIES // train.shape[1])):
            differences = train[rows[part]] - self._valid[columns[part]].double()
            squares[rows[part], columns[part]] = differences.square().sum(dim=1)
        return squares.sqrt_()

    def _rows_that_may_hold_the_largest_distance(self) -> NDArray[np.int64]:
        """Positions whose largest distance, up to float32 rounding, reaches the largest of all rows."""
        norms = self._row_norms()
        reach = norms + float(self._valid_square.max().sqrt())
        order = np.argsort(-reach, kind="stable")
        furthest, slack, known = np.zeros(len(self)), np.zeros(len(self)), 0.0
        for start in range(0, len(order), self.block_size):
            chunk = order[start : start + self.block_size]
            if reach[chunk[0]] < known:
                break
            squares, own = self._squared_distances(torch.as_tensor(chunk, device=self.device))
            furthest[chunk] = squares.amax(dim=1).cpu().numpy()
            slack[chunk] = RELATIVE_ROUNDING * (own + self._valid_square.max()).cpu().numpy()
            known = max(known, float(np.sqrt(np.maximum(furthest[chunk] - slack[chunk], 0.0)).max()))
        return np.flatnonzero(furthest + slack >= known**2)

    def _row_norms(self) -> NDArray[np.float64]:
        parts = [(chunk.to(torch.float32) - self._center).norm(dim=1) for chunk in self._train.split(2**16)]
        return torch.cat(parts).double().cpu().numpy() * (1.0 + RELATIVE_ROUNDING)

    def _largest_distance(self, positions: NDArray[np.int64]) -> float:
        chunks = torch.as_tensor(positions, device=self.device).split(self.block_size)
        return max(float(self._exact_distances(chunk).max()) for chunk in chunks)
