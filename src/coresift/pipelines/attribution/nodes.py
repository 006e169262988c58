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
    """Measure how strongly each training sample pulls at a fresh adapter; gradient features stay empty."""
    from coresift.attribution import gradient_norms, no_gradient_features, norms_in_shards, training_rows
    from coresift.compute import use_threads
    from coresift.recommenders import AdapterOptions, build_recommender, with_histories
    from coresift.storage import Shards, work_folder

    use_threads(threads.root)
    options = parameters.gradient_norms
    settings = [part.model_dump() for part in (options, recommender, adapter, device, dtype, seed)]
    scored = with_histories(training_rows(prompts), samples)
    shards = Shards(work_folder(data_dir.root, "gradient-norms", scored, items, base_model, *settings))
    model = build_recommender(
        base_model=base_model,
        items=items,
        adapter=AdapterOptions(**adapter.model_dump()),
        device=device.root,
        dtype=dtype.root,
        random_state=seed.root,
        **recommender.model_dump(),
    )
    norms = norms_in_shards(
        lambda rows: gradient_norms(
            model.model, model.batches(rows, options.batch_size), options.parameters, model.sample_loss
        ),
        scored,
        shards,
    )
    return norms, no_gradient_features()


def compute_influence(
    samples: Table, surrogate_weights: Path, *, parameters: AttributionParameters, device: Device, threads: Threads
) -> TensorDict:
    """Estimate how much training on each sample lowers the surrogate's loss on the validation samples."""
    import pyarrow.compute as pc
    import torch

    from coresift.attribution import influence_scores
    from coresift.compute import resolve_device, use_threads
    from coresift.surrogate import load_surrogate, sample_losses, surrogate_batches

    use_threads(threads.root)
    options = parameters.influence
    model = load_surrogate(surrogate_weights).to(resolve_device(device.root))
    batches = surrogate_batches(samples, options.batch_size, split=0)
    target = batches if options.target == "train" else surrogate_batches(samples, options.batch_size, split=1)
    result = influence_scores(
        model,
        options.module or model.influence_module,
        batches,
        target,
        sample_losses,
        curvature=options.curvature,
        damping=options.damping,
        solver=options.solver,
    )
    sample_id = samples.filter(pc.equal(samples["split"], 0))["sample_id"]
    return {"sample_id": torch.tensor(sample_id.to_numpy(), dtype=torch.int64), "influence": result.scores}
