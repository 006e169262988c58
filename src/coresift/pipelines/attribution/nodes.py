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
    from coresift.attribution import measure_gradients, no_gradients
    from coresift.compute import compute_facts, use_threads
    from coresift.foundation import base_model_fingerprint
    from coresift.recommenders import AdapterOptions, build_recommender, with_histories
    from coresift.storage import Shards, work_folder

    norms, features = parameters.gradient_norms, parameters.gradient_features
    if not norms.enabled:
        return no_gradients()
    settings = [part.model_dump() for part in (norms, features, recommender, adapter, seed)]
    settings.append(compute_facts(device.root, dtype.root, use_threads(threads.root)))
    weights = base_model_fingerprint(base_model)
    shards = Shards(work_folder(data_dir.root, "gradients", prompts, samples, items, semantic_ids, weights, *settings))
    model = build_recommender(
        base_model=base_model,
        items=items,
        # At its start DoRA has the gradients of LoRA: its magnitudes are the norms, which it holds fixed.
        adapter=AdapterOptions(**adapter.model_dump(exclude={"use_dora"})),
        semantic_ids=semantic_ids,
        probe=True,
        device=device.root,
        dtype=dtype.root,
        random_state=seed.root,
        **recommender.options(),
    )
    return measure_gradients(
        model.model,
        with_histories(prompts, samples),
        shards,
        batches=model.batches,
        loss=model.sample_loss,
        parameters=norms.parameters,
        batch_size=norms.batch_size,
        feature_dimensions=features.dimensions if features.enabled else None,
        random_state=seed.root,
    )


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
    from functools import partial

    import pyarrow.compute as pc
    import torch

    from coresift.attribution import influence_scores
    from coresift.compute import resolve_device, use_threads
    from coresift.selection import without_tuning_part
    from coresift.storage import TRAIN, VALID
    from coresift.surrogate import influence_batches, load_surrogate, sample_losses

    use_threads(threads.root)
    options = parameters.influence
    model = load_surrogate(surrogate_weights).to(resolve_device(device.root))
    samples = without_tuning_part(samples, tuning_share.root)
    by_length = samples.take(pc.array_sort_indices(pc.list_value_length(samples["history"])))
    batches_of = partial(influence_batches, model, by_length, users, options.batch_size, scored=options.scored)
    batches = batches_of(split=TRAIN)
    target = batches if options.target == "train" else batches_of(split=VALID)
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
    sample_id = torch.tensor(batches.samples["sample_id"].to_numpy(), dtype=torch.int64)
    order = sample_id.argsort()
    return {"sample_id": sample_id[order], "influence": result.scores[order]}
