"""RecTools' SASRec (github.com/MobileTeleSystems/RecTools): shifted sequences padded to full length."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools.dataset import Dataset
from rectools.models import SASRecModel

from benchmarks.surrogate.sides.protocol import Recorder, Task, padded, parse


class Epochs(Callback):
    """Tells the recorder when epochs begin and end."""

    def __init__(self, recorder: Recorder, max_length: int) -> None:
        self.recorder = recorder
        self.max_length = max_length

    def on_train_epoch_start(self, trainer: Trainer, module: torch.nn.Module) -> None:
        """Start the clock."""
        self.clock = self.recorder.epoch()
        self.clock.__enter__()

    def on_train_epoch_end(self, trainer: Trainer, module: torch.nn.Module) -> None:
        """Stop the clock, validate, and end training where it is time."""
        self.clock.__exit__(None, None, None)
        codes = np.zeros(self.recorder.task.n_items, dtype=np.int64)
        known = module.data_preparator.item_id_map.external_ids[len(module.item_extra_tokens) :].astype(np.int64)
        codes[known] = np.arange(len(known)) + len(module.item_extra_tokens)

        def score(histories: list[np.ndarray]) -> torch.Tensor:
            read = [codes[history] for history in histories]
            read = [history[history > 0] for history in read]
            rows = padded(read, self.max_length, shift=0, padding=0, left=True)
            vectors = module.torch_model.item_model.get_all_embeddings()
            states = module.torch_model.encode_sessions({"x": rows}, vectors)[:, -1]
            scores = states @ vectors[codes].T
            return scores.masked_fill(torch.from_numpy(codes == 0), -torch.inf)

        module.eval()
        trainer.should_stop = self.recorder.after_epoch(score)
        module.train()


def main() -> None:
    """Train with the library's model and loader; items without training interactions are unknown to it."""
    arguments = parse()
    task = Task(arguments.task)
    seed_everything(arguments.seed, workers=True)
    lengths = [len(sequence) for sequence in task.train]
    positions = np.concatenate([np.arange(length) for length in lengths])
    table = pd.DataFrame(
        {
            "user_id": np.repeat(np.arange(len(lengths)), lengths),
            "item_id": np.concatenate(task.train),
            "weight": 1.0,
            "datetime": pd.Timestamp("2020-01-01") + pd.to_timedelta(positions, unit="h"),
        }
    )
    recorder = Recorder(task, arguments)
    callback = Epochs(recorder, arguments.max_length)
    quiet = dict.fromkeys(["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False)
    model = SASRecModel(
        n_blocks=arguments.blocks,
        n_heads=arguments.heads,
        n_factors=arguments.dimension,
        session_max_len=arguments.max_length,
        loss="softmax" if arguments.loss == "full" else "sampled_softmax",
        n_negatives=1 if arguments.loss == "full" else 256,
        epochs=arguments.epochs,
        deterministic=True,
        get_trainer_func=lambda: Trainer(
            max_epochs=arguments.epochs, accelerator="cpu", callbacks=[callback], deterministic=True, **quiet
        ),
    )
    model.fit(Dataset.construct(table))
    recorder.hand_over()


if __name__ == "__main__":
    main()
