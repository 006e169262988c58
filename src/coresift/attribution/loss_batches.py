"""What a loss is given, batch by batch, and what it has to give back: one loss a sample."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.data import RandomSampler, SubsetRandomSampler, WeightedRandomSampler

Batch: TypeAlias = Any
"""Whatever the loss reads: a dictionary of tensors, a tuple of them, one tensor, a dataclass."""
SampleLoss: TypeAlias = Callable[[Any, Batch], Tensor]
"""Maps a model and a batch to unreduced losses (B,) that do not couple samples."""


_SHUFFLING = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


class RepeatableBatches:
    """Batches that are read several times and have to be the same ones every time.

    Args:
        batches: A list, a data loader that does not shuffle, or any other object whose ``__iter__`` starts anew.
        what: What the batches are called in an error.

    Raises:
        ValueError: If they can be read only once, come in another order every time, or are a single batch; while they
            are read, if others come than at first.
    """

    def __init__(self, batches: Iterable[Batch], what: str) -> None:
        if isinstance(batches, Iterator):
            raise ValueError(f"{what} can be read only once: pass a list, or an object whose __iter__ starts anew")
        if isinstance(batches, Mapping):
            raise ValueError(f"{what} is a single batch: pass a list of batches")
        samplers = (
            getattr(batches, "sampler", None),
            getattr(getattr(batches, "batch_sampler", None), "sampler", None),
        )
        if any(isinstance(sampler, _SHUFFLING) for sampler in samplers):
            raise ValueError(f"{what} come in another order every time: make the data loader with shuffle=False")
        self.batches = batches
        self.what = what
        self._count: int | None = None

    def __iter__(self) -> Iterator[Batch]:
        """Yield one batch after another."""
        count = 0
        for batch in self.batches:
            yield batch
            count += 1
        if self._count not in (None, count):
            raise ValueError(
                f"{self.what} were {self._count} at first and {count} when read again: pass a list, or an object whose "
                "__iter__ starts anew"
            )
        self._count = count


def on_device_of(model: nn.Module, batch: Batch) -> Batch:
    """Return a batch with its tensors where the model is; as it is for a model that is spread over several devices."""
    devices = {parameter.device for parameter in model.parameters()}
    return on_device(batch, devices.pop()) if len(devices) == 1 else batch


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch with all tensors in it on a device; what holds none comes back as it is."""
    if callable(getattr(batch, "to", None)):
        return batch.to(device)
    if isinstance(batch, MutableMapping):
        moved = copy.copy(batch)
        moved.update({name: on_device(part, device) for name, part in batch.items()})
        return moved
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(on_device(part, device) for part in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(on_device(part, device) for part in batch)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        changed = copy.copy(batch)
        for field in dataclasses.fields(batch):
            object.__setattr__(changed, field.name, on_device(getattr(batch, field.name), device))
        return changed
    return batch


def check_losses(losses: Tensor) -> None:
    """Make sure that a loss function gave one finite loss a sample, with a graph behind it.

    Raises:
        ValueError: If it did not.
    """
    if losses.ndim != 1:
        raise ValueError(f"the loss has shape {tuple(losses.shape)}: return one unreduced loss a sample, (B,)")
    if not losses.requires_grad:
        raise ValueError("the loss does not depend on the chosen layers: check that it calls the model with gradients")
    if not losses.isfinite().all():
        raise ValueError("a sample's loss is not finite: check the batch for empty or overflowing samples")


def reject_packed(batch: Batch) -> None:
    """Refuse a batch that holds several samples in one row; only dictionaries say whether they do.

    Raises:
        ValueError: If the batch carries sequence borders, or positions that start again within a row.
    """
    if not isinstance(batch, Mapping):
        return
    borders = [name for name in map(str, batch) if name.startswith(("cu_seq", "seq_idx", "max_length_"))]
    positions = batch.get("position_ids")
    restarts = positions is not None and positions.ndim == 2 and _restarts(positions, batch.get("attention_mask"))
    if borders or restarts:
        what = ", ".join(borders) or "position_ids that restart within a row"
        raise ValueError(f"the batch is packed ({what}): pass padded batches, one row a sample")


def _restarts(positions: Tensor, attention_mask: Tensor | None) -> bool:
    falls = positions[:, 1:] < positions[:, :-1]
    if attention_mask is not None:
        real = attention_mask.bool()
        falls = falls & real[:, 1:] & real[:, :-1]
    return bool(falls.any())
