"""What happens beside the training steps: a bar, a check for divergence, a mark on whole checkpoints."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from coresift.compute import progress_bar
from coresift.storage import atomic_file

_NO_STEPS: tuple[int, ...] = ()
"""The trainer counts the steps; the bar is only told."""
WHOLE = "whole.json"
"""File written last into a checkpoint: the size of every other file."""


class TrainingBar(TrainerCallback):
    """A progress bar with the loss; it stops the run when the loss is no longer a number."""

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: Any,  # noqa: ANN401
    ) -> None:
        """Open the bar where the run starts or goes on."""
        self.bar = progress_bar(_NO_STEPS, description="Fine-tuning", total=state.max_steps)
        self.bar.update(state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,  # noqa: ANN401
    ) -> None:
        """Show the loss.

        Raises:
            ValueError: If it is not finite.
        """
        if logs and "loss" in logs:
            if not math.isfinite(logs["loss"]):
                raise ValueError(
                    f"training diverged at step {state.global_step}: lower finetuning.learning_rate, or raise "
                    "recommender.dense.temperature"
                )
            self.bar.update(state.global_step - self.bar.n)
            self.bar.set_postfix(loss=f"{logs['loss']:.3f}")

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: Any,  # noqa: ANN401
    ) -> None:
        """Close the bar."""
        self.bar.close()


class CheckpointMark(TrainerCallback):
    """Mark a checkpoint once all of it is written, so that a run killed while writing never resumes from a part."""

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: Any,  # noqa: ANN401
    ) -> None:
        """Write the mark."""
        checkpoint = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        sizes = json.dumps(_sizes(checkpoint))
        with atomic_file(checkpoint / WHOLE) as draft:
            draft.write_text(sizes, encoding="utf-8")


def last_whole_checkpoint(folder: Path) -> Path | None:
    """Return the latest checkpoint that was written whole and of which nothing was deleted since, or None."""
    marks = folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*/{WHOLE}")
    return max((mark.parent for mark in marks if _is_kept(mark)), key=_step, default=None)


def _is_kept(mark: Path) -> bool:
    try:
        return json.loads(mark.read_text(encoding="utf-8")) == _sizes(mark.parent)
    except ValueError:  # the mark itself is damaged
        return False


def _sizes(checkpoint: Path) -> dict[str, int]:
    files = (file for file in checkpoint.rglob("*") if file.is_file() and file.name != WHOLE)
    return {str(file.relative_to(checkpoint)): file.stat().st_size for file in sorted(files)}


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rsplit("-", 1)[-1])
