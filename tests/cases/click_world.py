"""A small world of clicks: users like items of the parity that they rated highly."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from coresift.storage import SCHEMAS

N_ITEMS = 12


def click_samples(count=600, seed=0):
    """Users like items of the parity that they rated highly."""
    draw = np.random.default_rng(seed)
    taste = draw.integers(2, size=count)
    histories = [draw.integers(N_ITEMS, size=draw.integers(1, 7)).tolist() for _ in range(count)]
    ratings = [
        [5.0 if item % 2 == liked else 1.0 for item in items] for items, liked in zip(histories, taste, strict=True)
    ]
    targets = draw.integers(N_ITEMS, size=count)
    split = np.repeat([0, 1, 2], [count * 2 // 3, count // 6, count - count * 2 // 3 - count // 6])
    columns = [
        range(count),
        draw.integers(30, size=count),
        histories,
        ratings,
        targets[:, None].tolist(),
        (targets % 2 == taste).astype(int),
        [None] * count,
        split,
    ]
    return pa.table(dict(zip(SCHEMAS["samples"].names, columns, strict=True)), schema=SCHEMAS["samples"])


def profiles(count=30):
    return pa.table(
        {
            "user_id": pa.array(range(count), pa.int32()),
            "raw_id": [str(user) for user in range(count)],
            "job": [["clerk", "nurse", None][user % 3] for user in range(count)],
            "zip": [str(10_000 + user) for user in range(count)],
        }
    )
