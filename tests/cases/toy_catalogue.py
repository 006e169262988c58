from __future__ import annotations

import itertools

import pyarrow as pa

from coresift.foundation import SmallModelOptions
from coresift.storage import SCHEMAS

SMALL = SmallModelOptions(
    vocabulary_size=512, hidden_size=64, n_layers=2, training_steps=60, tokens_per_step=1024, learning_rate=1e-2
)


def toy_items():
    """120 titles from a few words, so that a minute model learns their order."""
    words = (["Ember", "Frost", "Iron", "Star"], ["Rally", "Saga", "Siege", "Farm", "Cup"], ["II", "III"])
    rows = [
        (f"{first} {second} {third} - {platform}", ["Games", platform])
        for first, second, third in itertools.product(*words)
        for platform in ("Orion", "PC", "Pocketron")
    ]
    titles = [title for title, _ in rows]
    columns = [range(len(rows)), titles, titles, [path for _, path in rows], titles]
    return pa.table(dict(zip(SCHEMAS["items"].names, columns, strict=True)), schema=SCHEMAS["items"])
