"""Texts as vectors of a language model: the mean of the last hidden states over real tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from coresift.compute import in_shrinking_batches, progress_bar, resolve_device, resolve_dtype
from coresift.foundation.model_parts import load_body, load_tokenizer, model_folder
from coresift.foundation.plain_tokens import tokenize_whole

MAX_TOKENS = 256
"""Longest text in tokens, where the model reads as many; the rest is not read."""


def mean_token_vectors(
    texts: Sequence[str], *, model: str, device: str, dtype: str, batch_size: int
) -> NDArray[np.float32]:
    """Return one vector per text; texts of like length share a batch, so that little is padding.

    Args:
        texts: Texts to embed.
        model: Path or hub id of an encoder or decoder.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto``, ``float32`` or ``bfloat16``.
        batch_size: Texts at once.

    Returns:
        (N, d) float32, not normalized.

    Raises:
        ValueError: If ``model`` is not a model.
    """
    folder = model_folder(model)
    place = resolve_device(device)
    tokenizer, body = load_tokenizer(folder), load_body(folder, dtype=resolve_dtype(dtype, place)).to(place)
    tokens = tokenize_whole(tokenizer, texts, longest=MAX_TOKENS)
    order = np.argsort([-len(row) for row in tokens], kind="stable")
    vectors = np.empty((len(tokens), body.config.hidden_size), dtype=np.float32)

    def embed(rows: slice) -> Tensor:
        return _mean_states(body, [tokens[row] for row in order[rows]], padding=tokenizer.pad_token_id)

    batches = in_shrinking_batches(embed, len(tokens), batch_size)
    for rows, states in progress_bar(batches, description="Embedding texts", total=-(-len(tokens) // batch_size)):
        vectors[order[rows]] = states.numpy()
    return vectors


@torch.inference_mode()
def _mean_states(body: PreTrainedModel, tokens: list[list[int]], *, padding: int) -> Tensor:
    """Return (B, d) float32 means over the tokens of each row, on the CPU."""
    input_ids = pad_sequence([torch.tensor(row) for row in tokens], batch_first=True, padding_value=padding)
    lengths = torch.tensor([len(row) for row in tokens])
    mask = (torch.arange(input_ids.shape[1]) < lengths[:, None]).to(body.device)
    states = body(input_ids=input_ids.to(body.device), attention_mask=mask.long()).last_hidden_state.float()
    return ((states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)).cpu()
