"""Nodes of the foundation pipeline."""

from __future__ import annotations

from pathlib import Path

from coresift.parameters import DataDirectory, Device, Dtype, RecommenderParameters, Seed, Threads
from coresift.pipelines.foundation.params import FoundationParameters
from coresift.typing import Table, TensorDict


def build_base_model(
    items: Table, *, parameters: FoundationParameters, data_dir: DataDirectory, seed: Seed, threads: Threads
) -> Path:
    """Make the folder of the base model: a reference to one that exists, or a small one trained on the catalogue."""
    from coresift import foundation
    from coresift.compute import use_threads
    from coresift.storage import work_folder

    used_threads = use_threads(threads.root)
    folder = work_folder(data_dir.root, "base_model", items, parameters.model_dump(), seed.root, used_threads)
    return foundation.build_base_model(
        items,
        folder / "model",
        model=parameters.model,
        random_state=seed.root,
        revision=parameters.revision,
        small_model=parameters.small_model,
    )


def embed_item_texts(
    items: Table,
    *,
    parameters: FoundationParameters,
    recommender: RecommenderParameters,
    device: Device,
    dtype: Dtype,
    seed: Seed,
    threads: Threads,
) -> tuple[TensorDict, Table]:
    """Turn the text of every item into a vector, and into codes where the recommender reads them."""
    from coresift.compute import use_threads
    from coresift.foundation import item_text_vectors, learn_semantic_ids
    from coresift.storage import empty_table

    use_threads(threads.root)
    vectors = item_text_vectors(
        items,
        method=parameters.text_vectors,
        dimensions=parameters.text_dimensions,
        random_state=seed.root,
        device=device.root,
        dtype=dtype.root,
    )
    if not recommender.options.reads_semantic_ids:
        return vectors, empty_table("semantic_ids")
    return vectors, learn_semantic_ids(vectors, options=parameters.semantic_ids, random_state=seed.root)
