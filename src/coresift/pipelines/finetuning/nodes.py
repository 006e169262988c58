"""Nodes of the finetuning pipeline."""

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
from coresift.pipelines.finetuning.params import FinetuningParameters
from coresift.typing import Figure, Table


def fine_tune_on_coreset(
    prompts: Table,
    samples: Table,
    items: Table,
    coreset: Table,
    base_model: Path,
    *,
    parameters: FinetuningParameters,
    recommender: RecommenderParameters,
    adapter: AdapterParameters,
    device: Device,
    dtype: Dtype,
    threads: Threads,
    seed: Seed,
    data_dir: DataDirectory,
) -> tuple[Path, list[dict[str, float | int]], Figure]:
    """Tune a LoRA adapter on the coreset's samples, each counted by its weight."""
    from coresift.compute import use_threads
    from coresift.finetuning import FineTuningOptions, fine_tune, plot_loss_curve
    from coresift.recommenders import AdapterOptions, build_recommender, with_histories
    from coresift.storage import work_folder

    use_threads(threads.root)
    settings = [part.model_dump() for part in (parameters, recommender, adapter, device, dtype, seed)]
    tuned = fine_tune(
        build_recommender(
            base_model=base_model,
            items=items,
            adapter=AdapterOptions(**adapter.model_dump()),
            device=device.root,
            dtype=dtype.root,
            random_state=seed.root,
            **recommender.model_dump(),
        ),
        with_histories(prompts, samples),
        coreset=coreset,
        work_folder=work_folder(data_dir.root, "finetuning", prompts, samples, items, coreset, base_model, *settings),
        options=FineTuningOptions(**parameters.model_dump()),
        random_state=seed.root,
    )
    return tuned.folder, tuned.log, plot_loss_curve(tuned.log)
