"""One unit vector per text, and per item of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from coresift.foundation.model_checks import check_base_model
from coresift.foundation.sentence_encoder import mean_token_vectors
from coresift.foundation.tfidf import latent_semantic_vectors

TFIDF = "tfidf"
"""The method that needs no model."""


def text_vectors(
    texts: Sequence[str],
    *,
    fit_texts: Sequence[str] | None = None,
    method: str = TFIDF,
    dimensions: int = 256,
    random_state: int = 0,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 64,
) -> NDArray[np.float32]:
    """Embed texts as unit vectors.

    Args:
        texts: Texts to embed.
        fit_texts: What ``tfidf`` learns its words and directions from; the texts themselves by default.
        method: ``tfidf``, or the path or hub id of a sentence encoder.
        dimensions: Length of a ``tfidf`` vector; shorter where there are fewer texts or words to learn from.
        random_state: Seed of the randomised SVD of ``tfidf``.
        device: Where a sentence encoder computes: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: Its precision: ``auto``, ``float32`` or ``bfloat16``.
        batch_size: Texts it reads at once.

    Returns:
        (N, d) float32 with rows of length 1; a text in which nothing is known is zero.

    Raises:
        ValueError: If ``method`` is neither ``tfidf`` nor a model, or no text holds a word.
    """
    if method == TFIDF:
        learned = texts if fit_texts is None else fit_texts
        vectors = latent_semantic_vectors(texts, fit_texts=learned, dimensions=dimensions, random_state=random_state)
    else:
        check_base_model(method, parameter="text vectors by a model")
        vectors = mean_token_vectors(texts, model=method, device=device, dtype=dtype, batch_size=batch_size)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=vectors, where=lengths > 0)


def item_text_vectors(items: pa.Table, **options: Any) -> dict[str, torch.Tensor]:  # noqa: ANN401 - passed on
    """Embed the text of every item.

    Args:
        items: Table ``items``.
        **options: As :func:`text_vectors` takes them.

    Returns:
        ``item_id`` (M,) int64 and ``vector`` (M, d) float32.
    """
    texts = [text or "" for text in items["text"].to_pylist()]
    return {
        "item_id": torch.from_numpy(np.array(items["item_id"], dtype=np.int64)),
        "vector": torch.from_numpy(text_vectors(texts, **options)),
    }
