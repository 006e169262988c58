"""Builds the candidate pool from the datasets of the earlier stages, joined by sample id."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from coresift.selection.candidate_pool import CandidatePool
from coresift.selection.sample_traits import sample_traits

TRAIN, VALID = 0, 1
FEATURES = {
    "sample_embeddings": ("embedding", "embedding", True),
    "gradient_features": ("feature", "gradient_feature", True),
    "surrogate_states": ("state", "state", True),
    "gradient_norms": ("gradient_norm", "gradient_norm", False),
    "influence_scores": ("influence", "influence", False),
}
"""Dataset: (its tensor, the pool's name for it, whether validation samples have it too)."""


def assemble_pool(
    samples: pa.Table,
    prompts: pa.Table,
    tensors: Mapping[str, Mapping[str, torch.Tensor]],
    sample_scores: pa.Table | None = None,
) -> CandidatePool:
    """Collects the features of every training and validation sample that has a prompt.

    Args:
        samples: the table `samples`, which knows the split.
        prompts: the table `prompts`; samples without a prompt are left out.
        tensors: tensor datasets by catalog name; an empty one counts as missing.
        sample_scores: the table `sample_scores`, or None.

    Returns:
        The pool, candidates in the order of their ids.

    Raises:
        ValueError: if there are no training or no validation samples, or a dataset lacks some of them.
    """
    train_ids, valid_ids = (_ids_of(samples, prompts, split) for split in (TRAIN, VALID))
    if not len(train_ids) or not len(valid_ids):
        kind = "validation" if len(train_ids) else "training"
        raise ValueError(f"samples has no {kind} sample with a prompt: run ingestion with a split that has some.")
    features: dict[str, NDArray | None] = {}
    for dataset, (tensor, name, has_validation) in FEATURES.items():
        values = tensors.get(dataset)
        if values is None or not len(values["sample_id"]):
            continue
        features[name] = _aligned(dataset, values["sample_id"], values[tensor], train_ids)
        if has_validation:
            features[f"validation_{name}"] = _aligned(dataset, values["sample_id"], values[tensor], valid_ids)
    labels = _labels(samples, train_ids), _labels(samples, valid_ids)
    scores = _traits(samples, train_ids) | _scores(sample_scores, train_ids)
    return CandidatePool(
        sample_id=train_ids, label=labels[0], validation_label=labels[1], scores=scores, **features
    )  # fmt: skip


def _ids_of(samples: pa.Table, prompts: pa.Table, split: int) -> NDArray[np.int64]:
    ids = samples.filter(pc.equal(samples["split"], split))["sample_id"]
    kept = ids.filter(pc.is_in(ids, value_set=prompts["sample_id"].combine_chunks()))
    return np.sort(kept.to_numpy().astype(np.int64))


def _places(dataset: str, known: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the wanted ids stand among the known ones."""
    order = np.argsort(known, kind="stable")
    places = order[np.searchsorted(known, wanted, sorter=order).clip(max=len(known) - 1)]
    missing = wanted[known[places] != wanted]
    if len(missing):
        raise ValueError(
            f"{dataset} lacks {len(missing)} of {len(wanted)} samples, the first is sample_id {missing[0]}: "
            "run the pipeline that makes it again."
        )
    return places


def _aligned(dataset: str, known: torch.Tensor, values: torch.Tensor, wanted: NDArray[np.int64]) -> NDArray:
    places = _places(dataset, known.cpu().numpy(), wanted)
    return values.detach().cpu().numpy()[places]


def _labels(samples: pa.Table, wanted: NDArray[np.int64]) -> NDArray:
    places = _places("samples", samples["sample_id"].to_numpy().astype(np.int64), wanted)
    return samples["label"].to_numpy()[places]


def _traits(samples: pa.Table, wanted: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    known, traits = sample_traits(samples)
    places = _places("samples", known, wanted)
    return {name: values[places] for name, values in traits.items()}


def _scores(table: pa.Table | None, wanted: NDArray[np.int64]) -> dict[str, NDArray]:
    if table is None or not table.num_rows:
        return {}
    places = _places("sample_scores", table["sample_id"].to_numpy().astype(np.int64), wanted)
    names = [name for name in table.column_names if name != "sample_id"]
    return {name: table[name].to_numpy()[places] for name in names}
