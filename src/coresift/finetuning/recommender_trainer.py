"""The Hugging Face trainer, told how a recommender computes its loss and forms its batches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from coresift.personalization import RecLoraModel, gate_statistics, split_gate_rate
from coresift.recommenders import Batch, LengthGroupedBatches, Recommender, TrainingRows


class RecommenderTrainer(Trainer):
    """Train a recommender's adapter on weighted samples, in batches of similar length.

    What is random is a function of the seed and the step: batches of the seed and the epoch, negatives of the seed and
    the step, dropout of torch's state, which checkpoints keep. A resumed run therefore goes on as it would have.

    Args:
        recommender: What is trained.
        arguments: Settings of the trainer.
        rows: Training samples.
        validation: Re-iterable validation batches; None where nothing watches.
        length_grouping: Whether samples of similar length share a batch.
        callbacks: What listens.
    """

    loss_is_scaled_for_ga = False

    def __init__(
        self,
        recommender: Recommender,
        arguments: TrainingArguments,
        rows: TrainingRows,
        *,
        validation: Iterable[Batch] | None,
        length_grouping: bool,
        callbacks: list[TrainerCallback],
    ) -> None:
        self.recommender = recommender
        self.validation = validation
        self.length_grouping = length_grouping
        self.draws = torch.Generator()
        self.drawn_step = -1
        self.seen = torch.empty(0, dtype=torch.int64)
        if arguments.n_gpu > 1:
            # Copies of the model on several GPUs would not see the users that this one is bound to.
            arguments._n_gpu = 1
        super().__init__(
            model=recommender.model,
            args=arguments,
            train_dataset=rows,
            eval_dataset=rows if validation is not None else None,
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)

    def had_stopped(self, checkpoint: Path) -> bool:
        """Return whether early stopping ended the run that wrote a checkpoint."""
        kept = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME)).stateful_callbacks
        return bool(kept["TrainerControl"]["args"]["should_training_stop"])

    def restore_stopped(self, checkpoint: Path) -> None:
        """Take over history and best weights of a run that early stopping has ended: to go on would undo the stop."""
        self.state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        self._load_best_model()

    def get_train_dataloader(self) -> DataLoader:
        """Fetch whole batches, of samples of similar length unless that is switched off."""
        lengths = self.train_dataset.lengths if self.length_grouping else np.zeros(len(self.train_dataset), np.int64)
        sampler = LengthGroupedBatches(lengths, self.args.train_batch_size, random_state=self.args.seed)
        loader = DataLoader(self.train_dataset, batch_sampler=sampler, collate_fn=_as_fetched)
        return self.accelerator.prepare(loader)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Mean over the batch of weight times loss."""
        self.seen = inputs["sample_id"]
        if self.drawn_step != self.state.global_step:
            self.drawn_step = self.state.global_step
            self.draws.manual_seed(self.args.seed * 1_000_003 + self.drawn_step)
        return (self.recommender.training_loss(model, inputs, self.draws) * inputs["weight"]).mean()

    def create_optimizer(self, *arguments: Any) -> Optimizer:  # noqa: ANN401 - the signature of the base class
        """Give the gates of a personalized model a learning rate of their own."""
        fresh = self.optimizer is None
        optimizer = super().create_optimizer(*arguments)
        if fresh and isinstance(self.model, RecLoraModel):
            split_gate_rate(optimizer, self.model)
        return optimizer

    def log(self, logs: dict[str, float], *arguments: Any) -> None:  # noqa: ANN401 - the signature of the base class
        """Log; for a personalized model also how its gates divide the users of the last batch."""
        if "loss" in logs and isinstance(self.model, RecLoraModel) and self.recommender.states is not None:
            logs |= gate_statistics(self.model, self.recommender.states.of(self.seen))
        super().log(logs, *arguments)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:  # noqa: ANN401 - the signature of the base class
        """Mean loss of the validation samples against fixed negatives, dropout off."""
        self.model.eval()
        with torch.no_grad():
            losses = [self.recommender.sample_loss(self.model, batch) for batch in self.validation or ()]
        metrics = {"eval_loss": float(torch.cat(losses).mean())}
        self.log(metrics)
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def _as_fetched(batch: Any) -> Any:  # noqa: ANN401 - the loader's signature names a list, the rows give a batch
    return batch
