"""What every hand-over between stages looks like: column names and types of tables, names and ranks of tensors."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TRAIN, VALID, TEST = 0, 1, 2
"""Values of every column and tensor called ``split``."""
SPLITS = {"train": TRAIN, "valid": VALID, "test": TEST}
"""The same, by the names that raw data and reports use."""

_IDS = pa.list_(pa.int32())
_VECTOR = pa.list_(pa.float32())

SCHEMAS: dict[str, pa.Schema] = {
    "interactions": pa.schema(
        {
            "user_id": pa.int32(),
            "item_id": pa.int32(),
            "timestamp": pa.int64(),
            "position": pa.int32(),
            "rating": pa.float32(),
            "split": pa.int8(),
        }
    ),
    "items": pa.schema(
        {
            "item_id": pa.int32(),
            "raw_id": pa.string(),
            "title": pa.string(),
            "categories": pa.list_(pa.string()),
            "text": pa.string(),
        }
    ),
    "users": pa.schema({"user_id": pa.int32(), "raw_id": pa.string()}),
    "samples": pa.schema(
        {
            "sample_id": pa.int32(),
            "user_id": pa.int32(),
            "history": _IDS,
            "history_ratings": _VECTOR,
            "targets": _IDS,
            "label": pa.int8(),
            "timestamp": pa.int64(),
            "split": pa.int8(),
        }
    ),
    "rejected_rows": pa.schema({"source": pa.string(), "row": pa.int64(), "reason": pa.string()}),
    "prompts": pa.schema(
        {
            "sample_id": pa.int32(),
            "target_id": pa.int32(),
            "label": pa.int8(),
            "prompt": pa.string(),
            "response": pa.string(),
            "input_ids": _IDS,
            "prompt_length": pa.int32(),
            "split": pa.int8(),
        }
    ),
    "semantic_ids": pa.schema({"item_id": pa.int32(), "codes": pa.list_(pa.int16())}),
    "sample_scores": pa.schema(
        {
            "sample_id": pa.int32(),
            "loss": pa.float32(),
            "el2n": pa.float32(),
            "grand": pa.float32(),
            "forgetting": pa.float32(),
            "loss_drop": pa.float32(),
        }
    ),
    "coreset": pa.schema(
        {
            "sample_id": pa.int32(),
            "rank": pa.int32(),
            "weight": pa.float32(),
            "score": pa.float32(),
            "selector": pa.string(),
        }
    ),
    "rankings": pa.schema({"sample_id": pa.int32(), "items": _IDS, "scores": _VECTOR}),
    "method_rankings": pa.schema(
        {"method": pa.string(), "masked": pa.bool_(), "sample_id": pa.int32(), "items": _IDS, "scores": _VECTOR}
    ),
    "method_predictions": pa.schema({"method": pa.string(), "sample_id": pa.int32(), "probability": pa.float32()}),
    "predictions": pa.schema({"sample_id": pa.int32(), "probability": pa.float32()}),
}
"""Columns of every table, by dataset name. ``users`` may carry further profile columns."""


@dataclass(frozen=True)
class TensorRanks:
    """Tensors of one dataset.

    Attributes:
        key: Name of the int64 id vector that the other tensors are aligned with; it ascends, each id once. Readers join
            by it all the same.
        ranks: Number of dimensions of every tensor, by name; the first dimension is that of ``key``.
    """

    key: str
    ranks: dict[str, int]


TENSOR_CONTRACTS: dict[str, TensorRanks] = {
    "item_text_vectors": TensorRanks("item_id", {"vector": 2}),
    "item_vectors": TensorRanks("item_id", {"vector": 2}),
    "surrogate_states": TensorRanks("sample_id", {"state": 2}),
    "sample_embeddings": TensorRanks("sample_id", {"embedding": 2, "split": 1}),
    "gradient_norms": TensorRanks("sample_id", {"gradient_norm": 1}),
    "gradient_features": TensorRanks("sample_id", {"feature": 2}),
    "influence_scores": TensorRanks("sample_id", {"influence": 1}),
}
"""Tensors of every tensor dataset, by dataset name."""


def empty_table(dataset: str) -> pa.Table:
    """Return a table of no rows that satisfies the contract of ``dataset``."""
    return SCHEMAS[dataset].empty_table()
