"""RePlay's SASRec (github.com/sb-ai-lab/RePlay): shifted sequences; full or shared sampled cross-entropy.

Batches come from memory instead of its parquet reader, which can only shorten its epochs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import lightning
import numpy as np
import torch
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.lightning import LightningModule
from replay.nn.loss import CESampled
from replay.nn.sequential import SasRec

from benchmarks.surrogate.sides.protocol import Recorder, Task, padded, parse

BATCH_SIZE = 128


class Batches:
    """Users in random order, padded on the left; a position's label is the item that follows."""

    def __init__(self, task: Task, max_length: int, negatives: int | None, seed: int) -> None:
        self.task = task
        self.max_length = max_length
        self.negatives = negatives
        self.sequences = [sequence for sequence in task.train if len(sequence) > 1]
        self.generator = np.random.default_rng(seed)

    def __len__(self) -> int:
        return math.ceil(len(self.sequences) / BATCH_SIZE)

    def __iter__(self) -> Iterator[dict]:
        order = self.generator.permutation(len(self.sequences))
        for start in range(0, len(order), BATCH_SIZE):
            chosen = [self.sequences[row] for row in order[start : start + BATCH_SIZE]]
            rows = padded(chosen, self.max_length + 1, shift=0, padding=self.task.n_items, left=True)
            inputs, labels = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()
            batch = self.reading(inputs)
            batch["positive_labels"] = labels.unsqueeze(-1)
            batch["target_padding_mask"] = (batch["padding_mask"] & (labels < self.task.n_items)).unsqueeze(-1)
            if self.negatives:
                batch["negative_labels"] = torch.from_numpy(
                    self.generator.integers(self.task.n_items, size=self.negatives)
                )
            yield batch

    def reading(self, inputs: torch.Tensor) -> dict:
        """What the model reads of a matrix of item ids."""
        return {"feature_tensors": {"item_id": inputs}, "padding_mask": inputs < self.task.n_items}


class Epochs(lightning.Callback):
    """Tells the recorder when epochs begin and end."""

    def __init__(self, recorder: Recorder, batches: Batches) -> None:
        self.recorder = recorder
        self.batches = batches

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: LightningModule) -> None:
        """Start the clock."""
        self.clock = self.recorder.epoch()
        self.clock.__enter__()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: LightningModule) -> None:
        """Stop the clock, validate, and end training where it is time."""
        self.clock.__exit__(None, None, None)

        def score(histories: list[np.ndarray]) -> torch.Tensor:
            rows = padded(histories, self.batches.max_length, shift=0, padding=self.recorder.task.n_items, left=True)
            return module.model(**self.batches.reading(rows))["logits"][:, : self.recorder.task.n_items].clone()

        module.eval()
        trainer.should_stop = self.recorder.after_epoch(score)
        module.train()


def main() -> None:
    """Train with the library's model, loss, optimizer and training module."""
    arguments = parse()
    task = Task(arguments.task)
    lightning.seed_everything(arguments.seed)
    feature = TensorFeatureInfo(
        "item_id",
        is_seq=True,
        feature_type=FeatureType.CATEGORICAL,
        embedding_dim=arguments.dimension,
        padding_value=task.n_items,
        cardinality=task.n_items,
        feature_hint=FeatureHint.ITEM_ID,
        feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
    )
    model = SasRec.from_params(
        TensorSchema([feature]),
        embedding_dim=arguments.dimension,
        num_heads=arguments.heads,
        num_blocks=arguments.blocks,
        max_sequence_length=arguments.max_length,
    )
    if arguments.loss == "sampled":
        model.loss = CESampled(ignore_index=task.n_items)
        model.loss.logits_callback = model.get_logits
    batches = Batches(
        task, arguments.max_length, arguments.negatives if arguments.loss == "sampled" else None, arguments.seed
    )
    recorder = Recorder(task, arguments)
    trainer = lightning.Trainer(
        max_epochs=arguments.epochs,
        accelerator="cpu",
        callbacks=[Epochs(recorder, batches)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(LightningModule(model), batches)
    recorder.hand_over()


if __name__ == "__main__":
    main()
