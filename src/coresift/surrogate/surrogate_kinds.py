"""Which surrogate fits the samples: SASRec for the next item, DIN for clicks; trained with one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from coresift.surrogate.din import Din
from coresift.surrogate.din_training import train_click_surrogate
from coresift.surrogate.sasrec import SasRec
from coresift.surrogate.stored_surrogate import Surrogate
from coresift.surrogate.training import TrainedSurrogate, train_surrogate

TrainOn: TypeAlias = Callable[[pa.Table, pa.Table], TrainedSurrogate[Surrogate]]
"""Trains a surrogate, always with the same options, on `interactions` and `samples` of all or of some users."""


def surrogate_kind(model: str, samples: pa.Table) -> str:
    """Return which surrogate is meant.

    Args:
        model: "sasrec", "din", or "auto": DIN where some samples are disliked, which those of clicks are and those of
            next items never, SASRec elsewhere.
        samples: Table `samples`.

    Raises:
        ValueError: `model` is unknown.
    """
    if model == "auto":
        return Din.kind if pc.any(pc.equal(samples["label"], 0)).as_py() else SasRec.kind
    if model not in (SasRec.kind, Din.kind):
        raise ValueError(f"surrogate.model is '{model}': use auto, sasrec or din.")
    return model


def surrogate_trainer(
    model: str,
    samples: pa.Table,
    users: pa.Table,
    n_items: int,
    *,
    item_text_vectors: Tensor | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    random_state: int = 0,
    device: str = "cpu",
) -> TrainOn:
    """Return what trains the surrogate of some samples.

    Args:
        model: "auto", "sasrec" or "din", as `surrogate_kind` reads it.
        samples: Table `samples`, which decides what "auto" is.
        users: Table `users`; DIN reads their profiles.
        n_items: Catalogue size M.
        item_text_vectors: (M, d'); SASRec reads them if its options ask for them.
        options: Of `train_surrogate` under "sasrec", of `train_click_surrogate` under "din".
        random_state: Seed of every draw.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ValueError: `model` is unknown.
    """
    kind = surrogate_kind(model, samples)
    chosen: dict[str, Any] = {**(options or {}).get(kind, {}), "random_state": random_state, "device": device}
    if kind == Din.kind:
        return lambda interactions, samples: train_click_surrogate(samples, users, n_items, **chosen)
    text = item_text_vectors
    return lambda interactions, samples: train_surrogate(
        interactions, samples, n_items, item_text_vectors=text, **chosen
    )
