"""Nodes of the selection pipeline."""

from __future__ import annotations

from coresift.parameters import Device, Seed, Threads, TuningShare
from coresift.pipelines import selection
from coresift.typing import Figure, Table, TensorDict


def select_coreset(
    samples: Table,
    prompts: Table,
    sample_scores: Table,
    *,
    parameters: selection.params.SelectionParameters,
    device: Device,
    threads: Threads,
    seed: Seed,
    tuning_share: TuningShare,
    **features: TensorDict,
) -> tuple[Table, dict[str, object], Figure, Figure]:
    """Choose the training samples to tune on, with the figures that explain the choice."""
    from coresift.compute import use_threads
    from coresift.selection import assemble_pool, choose, coverage_figure, descent_figure, without_tuning_part

    use_threads(threads.root)
    pool = assemble_pool(samples, without_tuning_part(prompts, tuning_share.root), features, sample_scores)
    chosen = choose(
        pool,
        parameters.method,
        budget=parameters.budget,
        random_state=seed.root,
        device=device.root,
        state_clusters=parameters.state_clusters,
        **parameters.chosen_options(),
    )
    figures = descent_figure(chosen.report), coverage_figure(pool, chosen.positions)
    return chosen.table, chosen.report, *figures


def export_coreset(
    coreset: Table, prompts: Table, *, parameters: selection.params.SelectionParameters
) -> list[dict[str, object]]:
    """Write the coreset as records that fine-tuning tools read as they are."""
    from coresift.selection import export_records

    return export_records(coreset, prompts, parameters.export_format)
