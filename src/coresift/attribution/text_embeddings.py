"""One vector for the text of every training and validation sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from coresift.foundation import text_vectors
from coresift.storage import TRAIN, VALID

EMBEDDED_SPLITS = (TRAIN, VALID)
"""Training and validation: what a selector may look at."""


def sample_embeddings(prompts: pa.Table, **options: Any) -> dict[str, torch.Tensor]:  # noqa: ANN401 - passed on
    """Embed prompt and response of every training and validation sample.

    Args:
        prompts: Table ``prompts``.
        **options: ``method`` ("tfidf", or the path or hub id of a sentence encoder), ``dimensions``,
            ``random_state``; see :func:`coresift.foundation.text_vectors`.

    Returns:
        ``sample_id`` (N,) int64, ``embedding`` (N, d) float32 and ``split`` (N,) int8.
    """
    rows = prompts.filter(pc.is_in(prompts["split"], value_set=pa.array(EMBEDDED_SPLITS, pa.int8())))
    texts = pc.binary_join_element_wise(rows["prompt"], rows["response"], " ").to_pylist()
    return {
        "sample_id": torch.tensor(np.asarray(rows["sample_id"], dtype=np.int64)),
        "embedding": torch.from_numpy(text_vectors(texts, **options)),
        "split": torch.tensor(np.asarray(rows["split"], dtype=np.int8)),
    }
