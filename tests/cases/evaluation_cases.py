"""A handful of users whose figures can be worked out by hand, and noise to compare methods on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch

from coresift.evaluation import METHODS, method_rankings_of, rankings_table

IDS = pa.list_(pa.int32())
N_ITEMS = 80


def interactions(rows: list[tuple[int, int, int]]) -> pa.Table:
    """Rows of user, item and split, in the order of time."""
    users, items, splits = zip(*rows, strict=True)
    return pa.table(
        {
            "user_id": pa.array(users, pa.int32()),
            "item_id": pa.array(items, pa.int32()),
            "split": pa.array(splits, pa.int8()),
        }
    )


def samples(histories: list[list[int]], targets: list[list[int]], splits: list[int] | None = None) -> pa.Table:
    return pa.table(
        {
            "sample_id": pa.array(range(len(histories)), pa.int32()),
            "history": pa.array(histories, IDS),
            "targets": pa.array(targets, IDS),
            "split": pa.array(splits or [2] * len(histories), pa.int8()),
        }
    )


def noisy_rankings(users: pa.Table, seed: int = 0) -> pa.Table:
    """Random lists of 50 items for every method; the tuned model's lists open with the user's first target."""
    generator = np.random.default_rng(seed)
    tables = []
    for method in METHODS:
        lists = np.stack([generator.permutation(N_ITEMS)[:50] for _ in range(users.num_rows)])
        if method == "tuned":
            wanted = np.array([targets[0] for targets in users["targets"].to_pylist()])
            lists = np.stack([[item, *row[row != item][:49]] for item, row in zip(wanted, lists, strict=True)])
        table = rankings_table(users["sample_id"], torch.from_numpy(lists), torch.zeros(lists.shape))
        tables += [method_rankings_of(table, method, masked=masked) for masked in (True, False)]
    return pa.concat_tables(tables)


def noisy_world(n_users: int = 60) -> tuple[pa.Table, pa.Table]:
    """Samples of test users and rankings of all methods."""
    generator = np.random.default_rng(1)
    drawn = [generator.permutation(N_ITEMS)[:5].tolist() for _ in range(n_users)]
    users = samples([items[:3] for items in drawn], [items[3:] for items in drawn])
    return users, noisy_rankings(users)
