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
    from coresift.compute import compute_facts, use_threads
    from coresift.finetuning import fine_tune, plot_loss_curve
    from coresift.foundation import base_model_fingerprint
    from coresift.personalization import RecLoraConfig, SampleStates
    from coresift.recommenders import AdapterOptions, build_recommender, with_histories
    from coresift.selection import without_selection_part
    from coresift.storage import work_folder

    compute = compute_facts(device.root, dtype.root, use_threads(threads.root))
    prompts = without_selection_part(prompts, tuning_share.root)
    states = SampleStates(surrogate_states) if personalization.enabled else None
    mixture = RecLoraConfig.for_states(states, **personalization.model_dump(exclude={"enabled"})) if states else None
    settings = [
        *(part.model_dump() for part in (parameters, recommender, adapter, personalization, seed)),
        *(compute, semantic_ids, surrogate_states if states else None, base_model_fingerprint(base_model)),
    ]
    tuned = fine_tune(
        build_recommender(
            base_model=base_model,
            items=items,
            adapter=AdapterOptions(**adapter.model_dump(), mixture=mixture),
            states=states,
            semantic_ids=semantic_ids,
            device=device.root,
            dtype=dtype.root,
            random_state=seed.root,
            **recommender.options(),
        ),
        with_histories(prompts, samples),
        coreset=coreset,
        work_folder=work_folder(data_dir.root, "finetuning", prompts, samples, items, coreset, *settings),
        options=parameters,
        random_state=seed.root,
    )
    return tuned.folder, tuned.log, plot_loss_curve(tuned.log)
