"""Weights that several layers hold: their gradients are one gradient, which is added up before a norm is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Place = tuple[object, ...]
NOT_DIFFERENTIATED = frozenset({Tensor.data.__get__, Tensor.grad.__get__, Tensor.detach})  # type: ignore[attr-defined, union-attr]
"""What takes a tensor's numbers without a gradient."""


@dataclass(frozen=True)
class Holder:
    """A Linear layer that holds a weight.

    Attributes:
        layer: The layer.
        is_transposed: Whether it holds the weight's transpose.
    """

    layer: nn.Linear
    is_transposed: bool


def place_in_memory(weight: Tensor) -> Place:
    """Return where the numbers of a weight lie; equal for all that hold the same numbers."""
    if weight.is_meta or not weight.numel():
        return (id(weight),)
    return weight.device, weight.untyped_storage().data_ptr(), weight.storage_offset(), weight.numel()


def distinct_weights(layers: Mapping[str, nn.Linear]) -> dict[str, nn.Linear]:
    """Return the first of the layers that hold one weight, for every weight."""
    first: dict[Place, str] = {}
    for name, layer in layers.items():
        first.setdefault(place_in_memory(layer.weight), name)
    return {name: layers[name] for name in first.values()}


def weight_holders(model: nn.Module, layers: Mapping[str, nn.Linear]) -> dict[str, list[Holder]]:
    """Return the Linear layers of a model that hold the weight of each of some layers, these included.

    Raises:
        ValueError: If a weight is computed from other parameters, or held in shapes that do not match.
    """
    parameters = {place_in_memory(parameter) for parameter in model.parameters()}
    linears: dict[Place, list[nn.Linear]] = {}
    for module in model.modules():
        if isinstance(module, nn.Linear):
            linears.setdefault(place_in_memory(module.weight), []).append(module)
    holders = {}
    for name, layer in layers.items():
        place = place_in_memory(layer.weight)
        if place not in parameters:
            raise ValueError(
                f"the weight of '{name}' is computed from other parameters, whose gradients are not measured: remove "
                "its parametrization, or choose other layers"
            )
        holders[name] = [Holder(other, _is_transposed(name, layer.weight, other.weight)) for other in linears[place]]
    return holders


def _is_transposed(name: str, weight: Tensor, other: Tensor) -> bool:
    if _same_view(weight, other):
        return False
    if _same_view(weight, other.mT):
        return True
    raise ValueError(
        f"the weight of '{name}', {tuple(weight.shape)}, is also held as {tuple(other.shape)}: its gradient cannot be "
        "measured sample by sample; choose other layers"
    )


def _same_view(first: Tensor, second: Tensor) -> bool:
    sides = zip(first.shape, first.stride(), second.stride(), strict=True)
    return first.shape == second.shape and all(size == 1 or own == other for size, own, other in sides)


class WeightReads(TorchFunctionMode):
    """Counts how often weights take part in a computation, whoever reads them.

    Layers report the calls that hooks can see. A weight that is read more often than they report is also used in
    another way, for instance by an embedding or through its transpose.

    Args:
        model: The model.
        layers: The layers whose weights are counted, by name.
    """

    def __init__(self, model: nn.Module, layers: Mapping[str, nn.Linear]) -> None:
        super().__init__()
        names = {place_in_memory(layer.weight): name for name, layer in layers.items()}
        found = ((id(parameter), names.get(place_in_memory(parameter))) for parameter in model.parameters())
        self._names = {identity: name for identity, name in found if name is not None}
        self.counts: Counter[str] = Counter()

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Call the function, and count the weights among its arguments."""
        result = func(*args, **(kwargs or {}))
        makes_tensors = next(_tensors((result,)), None) is not None
        if makes_tensors and torch.is_grad_enabled() and func not in NOT_DIFFERENTIATED:
            read = {self._names[id(part)] for part in _tensors((args, kwargs)) if id(part) in self._names}
            self.counts.update(read)
        return result

    def check(self, calls: Mapping[str, int]) -> None:
        """Compare with the calls that layers reported.

        Raises:
            ValueError: If a weight was read more often.
        """
        for name, count in self.counts.items():
            if count > calls[name]:
                raise ValueError(
                    f"the weight of '{name}' is also read outside of Linear layers ({count - calls[name]} times): its "
                    "gradient cannot be measured sample by sample; choose other layers"
                )


def _tensors(parts: Iterable[object]) -> Iterator[Tensor]:
    for part in parts:
        if isinstance(part, Tensor):
            yield part
        elif isinstance(part, list | tuple):
            yield from _tensors(part)
        elif isinstance(part, dict):
            yield from _tensors(part.values())
