"""Builds the candidate pool from the datasets of the earlier stages, joined by sample id."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from coresift.compute import as_numpy
from coresift.ranking import list_lengths, list_rows
from coresift.selection.candidate_pool import CandidatePool
from coresift.storage import TRAIN, VALID, places_of, rows_of


def sample_traits(samples: pa.Table) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Traits that a random draw is stratified by.

    Args:
        samples: The table `samples`.

    Returns:
        (T,) ids of the training samples, and by name their (T,) traits: "history_length", the items of the history,
        and "target_popularity", how often the first target occurs in histories and targets of training samples.
    """
    train = samples.filter(pc.equal(samples["split"], TRAIN))
    rows, targets = list_rows(train["targets"])
    present, first = np.unique(rows, return_index=True)
    everything = np.concatenate([list_rows(train["history"])[1], targets])
    popularity = np.zeros(train.num_rows)
    popularity[present] = np.bincount(everything)[targets[first]] if len(everything) else 0.0
    lengths = list_lengths(train["history"]).astype(np.float64)
    return train["sample_id"].to_numpy().astype(np.int64), {
        "history_length": lengths,
        "target_popularity": popularity,
    }


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
    """Collect the features of every training and validation sample that has a prompt.

    Args:
        samples: The table `samples`, which knows the split.
        prompts: The table `prompts`; samples without a prompt are left out.
        tensors: Tensor datasets by catalog name; an empty one counts as missing.
        sample_scores: The table `sample_scores`, or None.

    Returns:
        The pool, candidates in the order of their ids.

    Raises:
        ValueError: If there are no training or no validation samples, or a dataset lacks one or holds it twice.
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
        features[name] = as_numpy(rows_of(values, tensor, train_ids, dataset=dataset))
        if has_validation:
            features[f"validation_{name}"] = as_numpy(rows_of(values, tensor, valid_ids, dataset=dataset))
    labels = _labels(samples, train_ids), _labels(samples, valid_ids)
    scores = _traits(samples, train_ids) | _scores(sample_scores, train_ids)
    return CandidatePool(
        sample_id=train_ids, label=labels[0], validation_label=labels[1], scores=scores, **features
    )  # fmt: skip


def _ids_of(samples: pa.Table, prompts: pa.Table, split: int) -> NDArray[np.int64]:
    ids = samples.filter(pc.equal(samples["split"], split))["sample_id"]
    kept = ids.filter(pc.is_in(ids, value_set=prompts["sample_id"].combine_chunks()))
    return np.sort(kept.to_numpy().astype(np.int64))


def _labels(samples: pa.Table, wanted: NDArray[np.int64]) -> NDArray:
    places = places_of(wanted, samples["sample_id"].to_numpy(), dataset="samples")
    return samples["label"].to_numpy()[places]


def _traits(samples: pa.Table, wanted: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    known, traits = sample_traits(samples)
    places = places_of(wanted, known, dataset="samples")
    return {name: values[places] for name, values in traits.items()}


def _scores(table: pa.Table | None, wanted: NDArray[np.int64]) -> dict[str, NDArray]:
    if table is None or not table.num_rows:
        return {}
    places = places_of(wanted, table["sample_id"].to_numpy(), dataset="sample_scores")
    names = [name for name in table.column_names if name != "sample_id"]
    return {name: table[name].to_numpy()[places] for name in names}
