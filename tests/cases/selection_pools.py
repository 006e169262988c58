"""Small pools of candidates: one with every feature, one built from given features."""

from __future__ import annotations

import numpy as np

from coresift.selection import CandidatePool

N_TRAIN, N_VALID = 90, 31
SCORES = ("loss", "el2n", "grand", "forgetting", "loss_drop", "history_length", "target_popularity")


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def every_feature(seed=0):
    generator = np.random.default_rng(seed)

    def rows(count, width):
        return generator.normal(size=(count, width)).astype(np.float32)

    return {
        "sample_id": np.arange(N_TRAIN) * 3,
        "embedding": rows(N_TRAIN, 6),
        "validation_embedding": rows(N_VALID, 6),
        "gradient_feature": unit(rows(N_TRAIN, 5)),
        "validation_gradient_feature": unit(rows(N_VALID, 5)),
        "state": rows(N_TRAIN, 4),
        "validation_state": rows(N_VALID, 4),
        "gradient_norm": generator.random(N_TRAIN),
        "influence": generator.normal(size=N_TRAIN),
        "label": generator.integers(0, 3, N_TRAIN),
        "validation_label": generator.integers(0, 3, N_VALID),
        "scores": {name: generator.random(N_TRAIN) for name in SCORES},
    }


def make_pool(seed=0, **changes):
    return CandidatePool(**(every_feature(seed) | changes))


def pool_of(rows=None, valid=None, *, feature="embedding", **others):
    """A pool whose candidates have the given rows as their only representation."""
    count = len(rows) if rows is not None else len(next(iter((others.get("scores") or others).values())))
    matrices = {feature: rows, f"validation_{feature}": valid}
    known = {name: np.asarray(values, np.float32) for name, values in matrices.items() if values is not None}
    return CandidatePool(sample_id=np.arange(count), **known, **others)


def distances(first, second):
    """Every distance between rows, one pair at a time."""
    return np.array([[np.sqrt(((a - b) ** 2).sum()) for b in second] for a in first.astype(np.float64)])
