"""The project's own surrogate, in a process of its own like every other side."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch

from benchmarks.surrogate.sides.protocol import TOP, Task, hand_over, parse
from coresift.ranking import top_items
from coresift.surrogate import train_surrogate

IDS = pa.list_(pa.int32())


def tables(task: Task) -> tuple[pa.Table, pa.Table]:
    """The task as the tables `interactions` and `samples` hold it."""
    lengths = [len(sequence) for sequence in task.train]
    interactions = pa.table(
        {
            "user_id": np.repeat(np.arange(len(lengths)), lengths),
            "item_id": np.concatenate(task.train),
            "position": np.concatenate([np.arange(length) for length in lengths]),
            "split": np.zeros(sum(lengths), dtype=np.int8),
        }
    )
    train = [sequence for sequence in task.train if len(sequence) > 1]
    histories = [sequence[:-1] for sequence in train] + task.valid
    targets = [sequence[-1:] for sequence in train] + task.valid_targets
    columns = {
        "sample_id": np.arange(len(histories), dtype=np.int32),
        "history": pa.array(histories, IDS),
        "targets": pa.array(targets, IDS),
        "split": np.repeat(np.array([0, 1], dtype=np.int8), [len(train), len(task.valid)]),
    }
    return interactions, pa.table(columns)


def main() -> None:
    """Train with the sampled loss, the exact one, or the sampled one and titles, which is the project's default."""
    arguments = parse()
    task = Task(arguments.task)
    options = {"max_length": arguments.max_length, "dimension": arguments.dimension}
    options |= {"n_blocks": arguments.blocks, "n_heads": arguments.heads, "negatives": arguments.negatives}
    options |= {"epochs": arguments.epochs, "patience": arguments.patience}
    options |= {"validation_users": 10 if arguments.time_only else len(task.valid)}
    trained = train_surrogate(
        *tables(task),
        task.n_items,
        item_text_vectors=torch.from_numpy(task.arrays["text"]) if arguments.loss == "titles" else None,
        random_state=arguments.seed,
        loss="exact" if arguments.loss == "full" else "auto",
        **options,
    )
    test = pa.array(task.test, IDS)
    top, _ = top_items(trained.model.encode(test), trained.model.item_vectors.detach(), TOP, seen=test)
    np.save(arguments.lists, top.numpy())
    hand_over(trained.epoch_seconds, [epoch["ndcg@10"] for epoch in trained.metrics["epochs"]])


if __name__ == "__main__":
    main()
