"""Nodes of the attribution pipeline."""

from __future__ import annotations

from pathlib import Path

from coresift.parameters import (
    AdapterParameters,
    DataDirectory,
    Device,
    Dtype,
    RecommenderParameters,
    Seed,
    Threads,
    TuningShare,
)
from coresift.pipelines.attribution.params import AttributionParameters
from coresift.typing import Table, TensorDict


def embed_samples(prompts: Table, *, parameters: AttributionParameters, threads: Threads, seed: Seed) -> TensorDict:
    """Turn prompt and response of every training and validation sample into a vector."""
    from coresift.attribution import sample_embeddings
    from coresift.compute import use_threads

    use_threads(threads.root)
    return sample_embeddings(prompts, random_state=seed.root, **parameters.embedding.model_dump())


def compute_gradient_norms(
    prompts: Table,
    samples: Table,
    items: Table,
    base_model: Path,
    semantic_ids: Table,
    *,
    parameters: AttributionParameters,
    recommender: RecommenderParameters,
    adapter: AdapterParameters,
    device: Device,
    dtype: Dtype,
    threads: Threads,
    seed: Seed,
    data_dir: DataDirectory,
) -> tuple[TensorDict, TensorDict]:
    """Measure how strongly each training sample pulls at a fresh adapter and, on request, in which direction."""
    from coresift.attribution import no_gradients
    from coresift.compute import use_threads
    from coresift.recommenders import probe_gradients, with_histories
    from coresift.storage import Shards, work_folder

    norms, features = parameters.gradient_norms, parameters.gradient_features
    if not norms.enabled:
        return no_gradients()
    use_threads(threads.root)
    prompts = with_histories(prompts, samples)
    inputs = recommender.inputs(base_model, items, semantic_ids, device=device, dtype=dtype, seed=seed)
    settings = [part.model_dump() for part in (norms, features, adapter)]
    shards = Shards(work_folder(data_dir.root, "gradients", prompts, *inputs.made_of(), *settings))
    return probe_gradients(inputs, adapter.options(), prompts, shards, norms=norms, features=features)


def compute_influence(
    samples: Table,
    users: Table,
    surrogate_weights: Path,
    *,
    parameters: AttributionParameters,
    device: Device,
    threads: Threads,
    tuning_share: TuningShare,
) -> TensorDict:
    """Estimate how much training on each sample lowers the surrogate's loss on the validation samples."""
    from coresift.attribution import surrogate_influence
    from coresift.compute import resolve_device, use_threads
    from coresift.selection import without_tuning_part
    from coresift.surrogate import load_surrogate

    use_threads(threads.root)
    model = load_surrogate(surrogate_weights).to(resolve_device(device.root))
    known = without_tuning_part(samples, tuning_share.root)
    return surrogate_influence(model, known, users, parameters.influence)
