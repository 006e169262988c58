"""Nodes of the surrogate pipeline."""

from __future__ import annotations

from pathlib import Path

from coresift.parameters import DataDirectory, Device, Seed, Threads
from coresift.pipelines.surrogate.params import SurrogateParameters
from coresift.typing import Table, TensorDict


def train_sequence_model(
    interactions: Table,
    samples: Table,
    items: Table,
    item_text_vectors: TensorDict,
    *,
    parameters: SurrogateParameters,
    device: Device,
    threads: Threads,
    seed: Seed,
    data_dir: DataDirectory,
) -> tuple[Path, Table, dict[str, object]]:
    """Train SASRec to predict the next item of every user, stopping on validation NDCG@10."""
    from coresift.compute import use_threads
    from coresift.storage import rows_of_items, work_folder
    from coresift.surrogate import save_surrogate, surrogate_fingerprint, train_surrogate

    use_threads(threads.root)
    trained = train_surrogate(
        interactions,
        samples,
        items.num_rows,
        item_text_vectors=rows_of_items(item_text_vectors, dataset="item_text_vectors", n_items=items.num_rows),
        random_state=seed.root,
        device=device.root,
        **parameters.training_options(),
    )
    folder = work_folder(data_dir.root, "surrogate", surrogate_fingerprint(trained.model))
    return save_surrogate(trained.model, folder), trained.sample_scores, trained.metrics


def encode_users_and_items(
    surrogate_weights: Path,
    interactions: Table,
    samples: Table,
    items: Table,
    item_text_vectors: TensorDict,
    *,
    parameters: SurrogateParameters,
    device: Device,
    threads: Threads,
    seed: Seed,
    data_dir: DataDirectory,
) -> tuple[TensorDict, TensorDict, dict[str, object]]:
    """Export the surrogate's state after every sample's history, and its item vectors."""
    from functools import partial

    from coresift.compute import resolve_device, use_threads
    from coresift.storage import rows_of_items, work_folder
    from coresift.surrogate import item_vectors, load_surrogate, out_of_fold_states, surrogate_states, train_surrogate

    used_threads = use_threads(threads.root)
    model = load_surrogate(surrogate_weights).to(resolve_device(device.root))
    folds = parameters.out_of_fold.folds
    if folds == 0:
        return surrogate_states(model, samples), item_vectors(model), {"folds": 0}
    settings = [parameters.model_dump(), items.num_rows, device.root, used_threads, seed.root]
    train = partial(
        train_surrogate,
        n_items=items.num_rows,
        item_text_vectors=rows_of_items(item_text_vectors, dataset="item_text_vectors", n_items=items.num_rows),
        random_state=seed.root,
        device=device.root,
        **parameters.training_options(),
    )
    states, report = out_of_fold_states(
        model,
        interactions,
        samples,
        train,
        folder=work_folder(data_dir.root, "surrogate-folds", interactions, samples, item_text_vectors, *settings),
        random_state=seed.root,
        **parameters.out_of_fold.model_dump(),
    )
    return states, item_vectors(model), report
