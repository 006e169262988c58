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
    *,
    parameters: SurrogateParameters,
    device: Device,
    threads: Threads,
    seed: Seed,
    data_dir: DataDirectory,
) -> tuple[Path, Table, dict[str, object]]:
    """Train SASRec to predict the next item of every user, stopping on validation NDCG@10."""
    from coresift.compute import use_threads
    from coresift.storage import work_folder
    from coresift.surrogate import save_surrogate, surrogate_fingerprint, train_surrogate

    use_threads(threads.root)
    trained = train_surrogate(
        interactions,
        samples,
        items.num_rows,
        random_state=seed.root,
        device=device.root,
        **parameters.model_dump(),
    )
    folder = work_folder(data_dir.root, "surrogate", surrogate_fingerprint(trained.model))
    return save_surrogate(trained.model, folder), trained.sample_scores, trained.metrics


def encode_users_and_items(
    surrogate_weights: Path, samples: Table, *, device: Device, threads: Threads
) -> tuple[TensorDict, TensorDict]:
    """Export the surrogate's state after every sample's history, and its item vectors."""
    from coresift.compute import resolve_device, use_threads
    from coresift.surrogate import item_vectors, load_surrogate, surrogate_states

    use_threads(threads.root)
    model = load_surrogate(surrogate_weights).to(resolve_device(device.root))
    return surrogate_states(model, samples), item_vectors(model)
