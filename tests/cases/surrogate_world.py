"""A small world with a rule worth learning: items follow each other on a ring, with noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from coresift.storage import SCHEMAS

N_ITEMS = 40
IDS = pa.list_(pa.int32())


@dataclass(frozen=True)
class World:
    interactions: pa.Table
    samples: pa.Table


def make_world(n_users: int = 150, seed: int = 0) -> World:
    generator = np.random.default_rng(seed)
    interactions, samples = [], []
    for user in range(n_users):
        length = int(generator.integers(5, 12))
        steps = np.where(generator.random(length) < 0.85, 1, generator.integers(0, N_ITEMS, length))
        items = np.unique(np.cumsum(steps) + user, return_index=True)
        sequence = (items[0][np.argsort(items[1])] % N_ITEMS).astype(np.int32)
        splits = [0] * (len(sequence) - 2) + [1, 2]
        interactions += [
            (user, item, place, split) for place, (item, split) in enumerate(zip(sequence, splits, strict=True))
        ]
        samples += [(user, sequence[:cut], sequence[cut : cut + 1], split) for cut, split in _cuts(len(sequence))]
    samples.sort(key=lambda row: (row[3], row[0]))
    return World(_interactions(interactions), _samples(samples))


def _cuts(length: int) -> list[tuple[int, int]]:
    train = [(length - 3, 0)] if length > 3 else []
    return [*train, (length - 2, 1), (length - 1, 2)]


def _interactions(rows: list[tuple[int, int, int, int]]) -> pa.Table:
    columns = {name: [row[index] for row in rows] for index, name in enumerate(["user_id", "item_id", "position"])}
    missing = [None] * len(rows)
    columns |= {"timestamp": missing, "rating": missing, "split": [row[3] for row in rows]}
    return pa.table({name: columns[name] for name in SCHEMAS["interactions"].names}, SCHEMAS["interactions"])


def _samples(rows: list[tuple[int, np.ndarray, np.ndarray, int]]) -> pa.Table:
    missing = [None] * len(rows)
    columns = {
        "sample_id": list(range(len(rows))),
        "user_id": [row[0] for row in rows],
        "history": [row[1] for row in rows],
        "history_ratings": missing,
        "targets": [row[2] for row in rows],
        "label": [1] * len(rows),
        "timestamp": missing,
        "split": [row[3] for row in rows],
    }
    return pa.table({name: columns[name] for name in SCHEMAS["samples"].names}, SCHEMAS["samples"])
