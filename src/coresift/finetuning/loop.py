"""One training loop for all recommenders: an adapter tuned on a weighted coreset."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from transformers import EarlyStoppingCallback, TrainerCallback, TrainingArguments

from coresift.finetuning.callbacks import CheckpointMark, TrainingBar, last_whole_checkpoint
from coresift.finetuning.chosen_prompts import training_prompts, validation_prompts
from coresift.finetuning.global_state import global_random_state, quiet_transformers
from coresift.finetuning.options import FineTuningOptions
from coresift.finetuning.recommender_trainer import RecommenderTrainer
from coresift.personalization import RecLoraModel, SampleStates
from coresift.recommenders import AdapterOptions, Batch, Recommender, RecommenderInputs, recommender_of
from coresift.storage import atomic_folder, disk_errors_named, owned_folder

logger = logging.getLogger(__name__)

LogEntry = dict[str, float | int]
CHECKPOINTS_OF_A_SHORT_RUN = 4
FINISHED, CHECKPOINTS, ADAPTER, MERGED, LOG_FILE = "finished", "checkpoints", "adapter", "merged", "training_log.json"


@dataclass(frozen=True)
class FineTuned:
    """A finished fine-tuning.

    Attributes:
        folder: The adapter's folder, with the merged model under ``merged`` if it was asked for.
        log: One entry a step: step, epoch, loss, learning_rate, and validation_loss where it was measured.
    """

    folder: Path
    log: list[LogEntry]


def tune_adapter(
    inputs: RecommenderInputs[Any],
    adapter: AdapterOptions,
    prompts: pa.Table,
    *,
    coreset: pa.Table | None,
    work_folder: Path,
    states: SampleStates | None = None,
    options: FineTuningOptions | None = None,
) -> FineTuned:
    """Build a recommender with a fresh adapter and tune it; see :func:`fine_tune`.

    Args:
        inputs: What the recommender is built from; its seed is that of training too.
        adapter: Options of the adapter.
        prompts: Table ``prompts``, with a ``history`` column.
        coreset: Table ``coreset``; None trains on all training samples.
        work_folder: Folder for checkpoints and the result, the same for equal inputs and for them only.
        states: The surrogate's states, which a personalized adapter reads.
        options: Settings of the loop.
    """
    return fine_tune(
        recommender_of(inputs, adapter=adapter, states=states),
        prompts,
        coreset=coreset,
        work_folder=work_folder,
        options=options,
        random_state=inputs.random_state,
    )


def fine_tune(
    recommender: Recommender,
    prompts: pa.Table,
    *,
    coreset: pa.Table | None,
    work_folder: Path,
    options: FineTuningOptions | None = None,
    random_state: int = 0,
) -> FineTuned:
    """Tune a recommender's adapter on a coreset, or on every training sample.

    Work that was killed goes on from the last whole checkpoint in ``work_folder``; work that was finished is returned.
    While a second call works in the same folder, each has its own checkpoints.

    Args:
        recommender: Built with a fresh adapter; trained in place, but left alone where the work folder holds finished
            work: then build one from the returned folder.
        prompts: Table ``prompts``, with a ``history`` column where items a user knows shall be no negatives.
        coreset: Table ``coreset``; None trains on all training samples.
        work_folder: Folder for checkpoints and the result, the same for equal inputs and for them only.
        options: Settings of the loop.
        random_state: Seed of batches, negatives and dropout.

    Raises:
        ValueError: If there is nothing to train on, training diverges, or an option does not go with a personalized
            adapter.
        DiskError: If the disk is full; whole checkpoints stay, and the same call goes on from the last one.
    """
    finished = work_folder / FINISHED
    chosen = options or FineTuningOptions()
    if isinstance(recommender.model, RecLoraModel):
        _check_personalized(chosen)
    if not (finished / ADAPTER).is_dir():
        with owned_folder(work_folder / CHECKPOINTS) as checkpoints:
            log = _train(recommender, prompts, coreset, checkpoints, chosen, random_state)
            _finish(recommender, log, finished, merge=chosen.merge)
    return FineTuned(finished / ADAPTER, json.loads((finished / LOG_FILE).read_text(encoding="utf-8")))


def _check_personalized(options: FineTuningOptions) -> None:
    if options.merge:
        raise ValueError("finetuning.merge: a personalised adapter has no single merged model; set it to false")
    if options.gradient_checkpointing:
        raise ValueError(
            "finetuning.gradient_checkpointing: a personalised adapter knows its users on the way forward only; set it "
            "to false"
        )


def _train(
    recommender: Recommender,
    prompts: pa.Table,
    coreset: pa.Table | None,
    checkpoints: Path,
    options: FineTuningOptions,
    random_state: int,
) -> list[LogEntry]:
    rows, weights = training_prompts(prompts, coreset)
    watchers = validation_prompts(prompts, options.validation_samples, random_state=random_state)
    validation = recommender.batches(watchers, options.batch_size) if len(watchers) else None
    with global_random_state(random_state), quiet_transformers():
        trainer = RecommenderTrainer(
            recommender,
            _arguments(recommender, len(rows), checkpoints, options, random_state, watched=validation is not None),
            recommender.rows(rows, weights=weights),
            validation=validation,
            length_grouping=options.length_grouping,
            callbacks=_callbacks(options, validation),
        )
        resumed = last_whole_checkpoint(checkpoints)
        logger.info("Fine-tuning on %d samples%s.", len(rows), f", going on from {resumed.name}" if resumed else "")
        if resumed and options.patience and trainer.had_stopped(resumed):
            trainer.restore_stopped(resumed)
        else:
            with disk_errors_named(checkpoints):
                trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    return log_by_step(trainer.state.log_history)


def _arguments(
    recommender: Recommender,
    n_samples: int,
    checkpoints: Path,
    options: FineTuningOptions,
    random_state: int,
    *,
    watched: bool,
) -> TrainingArguments:
    steps_per_epoch = math.ceil(math.ceil(n_samples / options.batch_size) / options.gradient_accumulation)
    epochs = max(options.epochs, math.ceil(options.min_steps / steps_per_epoch))
    interval = min(math.ceil(steps_per_epoch * epochs / CHECKPOINTS_OF_A_SHORT_RUN), options.checkpoint_steps)
    return TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=options.batch_size,
        gradient_accumulation_steps=options.gradient_accumulation,
        num_train_epochs=epochs,
        learning_rate=options.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=int(options.warmup_share * steps_per_epoch * epochs),
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_gradient_norm,
        eval_strategy="steps" if watched else "no",
        eval_steps=interval,
        save_strategy="steps",
        save_steps=interval,
        save_total_limit=2,
        restore_callback_states_from_checkpoint=True,
        activation_checkpointing=options.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        load_best_model_at_end=watched and options.patience > 0,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        seed=random_state,
        use_cpu=recommender.device.type == "cpu",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=[],
        dataloader_pin_memory=False,
    )


def _callbacks(options: FineTuningOptions, validation: Iterable[Batch] | None) -> list[TrainerCallback]:
    early = [EarlyStoppingCallback(options.patience)] if validation is not None and options.patience else []
    return [TrainingBar(), CheckpointMark(), *early]


def _finish(recommender: Recommender, log: list[LogEntry], finished: Path, *, merge: bool) -> None:
    with disk_errors_named(finished), atomic_folder(finished) as draft:
        (draft / ADAPTER).mkdir()
        recommender.save(draft / ADAPTER)
        if merge:
            (draft / ADAPTER / MERGED).mkdir()
            recommender.save_merged(draft / ADAPTER / MERGED)
        (draft / LOG_FILE).write_text(json.dumps(log), encoding="utf-8")


def log_by_step(history: list[dict[str, float]]) -> list[LogEntry]:
    """Turn a trainer's history into one entry a step, without anything that depends on the clock."""
    entries: dict[int, LogEntry] = {}
    for record in history:
        entry = entries.setdefault(int(record["step"]), {"step": int(record["step"]), "epoch": record["epoch"]})
        entry |= {name: record[name] for name in ("loss", "learning_rate") if name in record}
        entry |= {name: value for name, value in record.items() if name.startswith("gate_")}
        if "eval_loss" in record:
            entry["validation_loss"] = record["eval_loss"]
    return [entries[step] for step in sorted(entries)]
