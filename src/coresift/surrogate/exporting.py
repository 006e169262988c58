"""The surrogate as files and tensors: weights folder, states of every sample, item vectors, fingerprint."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import load_file, save_file

from coresift.storage import Tensors, disk_errors_named, fingerprint
from coresift.surrogate.sasrec import SasRec, SasRecConfig


def save_surrogate(model: SasRec, folder: Path) -> Path:
    """Write model.safetensors and config.json into a new or empty folder and return it.

    Raises:
        DiskError: If the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with disk_errors_named(folder):
        save_file(weights, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(asdict(model.config), indent=2) + "\n", encoding="utf-8")
    return folder


def load_surrogate(folder: Path) -> SasRec:
    """Read a model written by `save_surrogate`, in evaluation mode on the CPU.

    Raises:
        ValueError: the folder holds no surrogate.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file() or not (folder / "model.safetensors").is_file():
        raise ValueError(
            f"'{folder}' holds no surrogate (config.json and model.safetensors): run the surrogate pipeline."
        )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = SasRec(SasRecConfig(**config))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()


def surrogate_fingerprint(model: SasRec) -> str:
    """Name the content of a surrogate: configuration and weights."""
    return fingerprint(asdict(model.config), dict(model.state_dict()))


def surrogate_states(model: SasRec, samples: pa.Table) -> Tensors:
    """Return {"sample_id" (N,), "state" (N, d) float32} for every sample of every split.

    The state is the model's output after the last item of `history`, so that scores are state @ item_vectors.T. The
    metadata names the surrogate, so that states and item vectors of different trainings are not mixed unnoticed.
    """
    sample_id = torch.from_numpy(np.asarray(samples["sample_id"], dtype=np.int64))
    tensors = {"sample_id": sample_id, "state": model.encode(samples["history"])}
    return Tensors(tensors, {"surrogate": surrogate_fingerprint(model)})


def item_vectors(model: SasRec) -> Tensors:
    """Return {"item_id" (M,), "vector" (M, d) float32} with the fingerprint of the surrogate in the metadata."""
    vectors = model.item_vectors.detach().float().cpu().clone()
    return Tensors(
        {"item_id": torch.arange(len(vectors)), "vector": vectors}, {"surrogate": surrogate_fingerprint(model)}
    )
