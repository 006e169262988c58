"""The surrogate as files and tensors: weights folder, states of every sample, item vectors, fingerprint."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from coresift.storage import Tensors, disk_errors_named, fingerprint
from coresift.surrogate.din import Din, DinConfig, click_features
from coresift.surrogate.sasrec import SasRec, SasRecConfig

Surrogate: TypeAlias = SasRec | Din
OF_IMPRESSIONS = {"state_of": "impression"}
"""What the metadata of states say that depend on the item in question, and so belong to no user."""


def save_surrogate(model: Surrogate, folder: Path) -> Path:
    """Write model.safetensors and config.json, which names the model, into a new or empty folder and return it.

    Raises:
        DiskError: If the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    config = {"model": model.kind, **asdict(model.config)}
    with disk_errors_named(folder):
        save_file(weights, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return folder


def load_surrogate(folder: Path) -> Surrogate:
    """Read a model written by `save_surrogate`, in evaluation mode on the CPU.

    Raises:
        ValueError: The folder holds no surrogate, or one that is unknown.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file() or not (folder / "model.safetensors").is_file():
        raise ValueError(
            f"'{folder}' holds no surrogate (config.json and model.safetensors): run the surrogate pipeline."
        )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = config.pop("model", SasRec.kind)
    if kind not in (SasRec.kind, Din.kind):
        raise ValueError(f"'{folder}' holds a surrogate of the unknown model '{kind}': run the surrogate pipeline.")
    model = Din(DinConfig(**config)) if kind == Din.kind else SasRec(SasRecConfig(**config))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()


def surrogate_fingerprint(model: Surrogate) -> str:
    """Name the content of a surrogate: configuration and weights."""
    return fingerprint(asdict(model.config), dict(model.state_dict()))


def surrogate_states(model: Surrogate, samples: pa.Table, users: pa.Table | None = None) -> Tensors:
    """Return {"sample_id" (N,), "state" (N, d) float32} for every sample of every split.

    The metadata name the surrogate, so that states and item vectors of different trainings are not mixed unnoticed.

    Args:
        model: A trained surrogate. SASRec's state is its output after the last item of `history`, so that scores are
            state @ item_vectors.T; DIN's is that of `din_states`.
        samples: Table `samples`.
        users: Table `users`, whose profiles DIN reads.

    Raises:
        ValueError: DIN is not given the users.
    """
    if isinstance(model, Din):
        if users is None:
            raise ValueError("DIN reads the profiles of users: pass the table users.")
        return din_states(model, samples, users)[0]
    return Tensors(
        {"sample_id": _ids(samples), "state": model.encode(samples["history"])},
        {"surrogate": surrogate_fingerprint(model)},
    )


def din_states(model: Din, samples: pa.Table, users: pa.Table) -> tuple[Tensors, Tensor]:
    """Return the states of every sample, and the model's own click logits (N,).

    The states depend on the item in question, so they serve click samples only, and belong to an impression rather
    than to a user. The metadata name the surrogate, and say so.
    """
    states, logits = model.encode(click_features(samples, users, model.config))
    metadata = {"surrogate": surrogate_fingerprint(model), **OF_IMPRESSIONS}
    return Tensors({"sample_id": _ids(samples), "state": states}, metadata), logits


def item_vectors(model: Surrogate) -> Tensors:
    """Return {"item_id" (M,), "vector" (M, d) float32} with the fingerprint of the surrogate in the metadata.

    States of SASRec are multiplied with them; those of DIN are what it reads of every item.
    """
    vectors = model.item_vectors.detach().float().cpu().clone()
    return Tensors(
        {"item_id": torch.arange(len(vectors)), "vector": vectors}, {"surrogate": surrogate_fingerprint(model)}
    )


def _ids(samples: pa.Table) -> Tensor:
    return torch.from_numpy(np.asarray(samples["sample_id"], dtype=np.int64))
