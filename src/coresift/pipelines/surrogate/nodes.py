"""Nodes of the surrogate pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coresift.parameters import DataDirectory, Device, Seed, Threads
from coresift.pipelines.surrogate.params import SurrogateParameters
from coresift.typing import Table, TensorDict


def train_surrogate_model(
    interactions: Table,
    samples: Table,
    items: Table,
    users: Table,
    item_text_vectors: TensorDict,
    *,
    parameters: SurrogateParameters,
    device: Device,
    threads: Threads,
    seed: Seed,
    data_dir: DataDirectory,
) -> tuple[Path, Table, dict[str, object]]:
    """Train SASRec to predict every user's next item, or DIN to predict clicks, stopping on the validation samples."""
    from coresift.compute import use_threads
    from coresift.storage import work_folder
    from coresift.surrogate import save_surrogate, surrogate_fingerprint, surrogate_trainer

    use_threads(threads.root)
    fixed = _what_training_takes(item_text_vectors, items, parameters, device, seed)
    trained = surrogate_trainer(parameters.model, samples, users, items.num_rows, **fixed)(interactions, samples)
    folder = work_folder(data_dir.root, "surrogate", surrogate_fingerprint(trained.model))
    return save_surrogate(trained.model, folder), trained.sample_scores, trained.metrics


def encode_samples_and_items(
    surrogate_weights: Path,
    interactions: Table,
    samples: Table,
    items: Table,
    users: Table,
    item_text_vectors: TensorDict,
    *,
    parameters: SurrogateParameters,
    device: Device,
    threads: Threads,
    seed: Seed,
    data_dir: DataDirectory,
) -> tuple[TensorDict, TensorDict, dict[str, object]]:
    """Export the surrogate's state of every sample, and its item vectors."""
    from coresift.compute import resolve_device, use_threads
    from coresift.storage import work_folder
    from coresift.surrogate import (
        item_vectors,
        load_surrogate,
        out_of_fold_states,
        surrogate_states,
        surrogate_trainer,
    )

    used_threads = use_threads(threads.root)
    model = load_surrogate(surrogate_weights).to(resolve_device(device.root))
    if parameters.out_of_fold.folds == 0:
        return surrogate_states(model, samples, users), item_vectors(model), {"folds": 0}
    settings = [model.kind, parameters.model_dump(), items.num_rows, device.root, used_threads, seed.root]
    made_of = [interactions, samples, users, item_text_vectors, *settings]
    fixed = _what_training_takes(item_text_vectors, items, parameters, device, seed)
    train = surrogate_trainer(model.kind, samples, users, items.num_rows, **fixed)
    folds = {"folder": work_folder(data_dir.root, "surrogate-folds", *made_of), **parameters.out_of_fold.model_dump()}
    states, report = out_of_fold_states(
        model, interactions, samples, train, users=users, random_state=seed.root, **folds
    )
    return states, item_vectors(model), report


def _what_training_takes(
    item_text_vectors: TensorDict, items: Table, parameters: SurrogateParameters, device: Device, seed: Seed
) -> dict[str, Any]:
    from coresift.storage import rows_of_items

    return {
        "item_text_vectors": rows_of_items(item_text_vectors, dataset="item_text_vectors", n_items=items.num_rows),
        "options": parameters.training_options(),
        "random_state": seed.root,
        "device": device.root,
    }
