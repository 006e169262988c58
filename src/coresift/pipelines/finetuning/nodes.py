"""Nodes of the finetuning pipeline."""

from __future__ import annotations

from pathlib import Path

from coresift.parameters import (
    AdapterParameters,
    DataDirectory,
    Device,
    Dtype,
    PersonalizationParameters,
    RecommenderParameters,
    Seed,
    Threads,
    TuningShare,
)
from coresift.pipelines.finetuning.params import FinetuningParameters
from coresift.typing import Figure, Table, TensorDict


def fine_tune_on_coreset(
    prompts: Table,
    samples: Table,
    items: Table,
    coreset: Table,
    base_model: Path,
    surrogate_states: TensorDict,
    semantic_ids: Table,
    *,
    parameters: FinetuningParameters,
    recommender: RecommenderParameters,
    adapter: AdapterParameters,
    personalization: PersonalizationParameters,
    device: Device,
    dtype: Dtype,
    threads: Threads,
    seed: Seed,
    data_dir: DataDirectory,
    tuning_share: TuningShare,
) -> tuple[Path, list[dict[str, float | int]], Figure]:
    """Tune a LoRA adapter, or a mixture of them per user, on the coreset's samples, each counted by its weight."""
    from dataclasses import asdict

    from coresift.compute import use_threads
    from coresift.finetuning import plot_loss_curve, tune_adapter
    from coresift.personalization import SampleStates
    from coresift.recommenders import with_histories
    from coresift.selection import without_selection_part
    from coresift.storage import work_folder

    use_threads(threads.root)
    prompts = with_histories(without_selection_part(prompts, tuning_share.root), samples)
    states = SampleStates(surrogate_states) if personalization.enabled else None
    inputs = recommender.inputs(base_model, items, semantic_ids, device=device, dtype=dtype, seed=seed)
    adapter_options = adapter.options(personalization.mixture(states))
    data = [prompts, coreset, surrogate_states if states else None, *inputs.made_of()]
    tuned = tune_adapter(
        inputs,
        adapter_options,
        prompts,
        coreset=coreset,
        states=states,
        work_folder=work_folder(data_dir.root, "finetuning", *data, asdict(adapter_options), parameters.model_dump()),
        options=parameters,
    )
    return tuned.folder, tuned.log, plot_loss_curve(tuned.log)
