"""How much a base model can read: rows of its position table, and of its embedding of tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase

_POSITION_TABLE = re.compile(r"(^|\.)(wpe|\w*pos\w*)$")
_OTHER_TABLES = re.compile(r"relative|rel_|distance|vision|visual|image|audio")
"""Tables of distances between tokens, and of what is no text, bound no text."""
_COMPUTED_TABLES = {"ctrl": "n_positions", "mpt": "max_seq_len"}
"""Families that refuse longer texts without a table among their modules, and what their configuration calls it."""


@dataclass(frozen=True)
class ModelLimits:
    """What a model's tables hold.

    Attributes:
        tokens: Rows of the embedding of tokens.
        positions: Longest text in tokens; None where positions need no table.
    """

    tokens: int
    positions: int | None


def model_limits(folder: Path) -> ModelLimits | None:
    """Read a model's limits off its architecture, without its weights.

    Args:
        folder: Folder with ``config.json``.

    Returns:
        The limits, or None for an architecture that cannot be built without weights.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            model = AutoModel.from_config(config, trust_remote_code=False)
            n_tokens = model.get_input_embeddings().weight.shape[0]
    except (NotImplementedError, RuntimeError, ValueError):
        return None
    usable = [_usable_rows(module) for name, module in model.named_modules() if _is_position_table(name, module)]
    stated = getattr(config, "max_position_embeddings", None)
    if not usable:  # positions that are computed, or kept outside of an embedding
        return ModelLimits(n_tokens, getattr(config, _COMPUTED_TABLES.get(config.model_type, ""), None))
    return ModelLimits(n_tokens, min(*usable, stated or min(usable)))


def bounded_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer, whose ``model_max_length`` is at most what the model's position table holds.

    Raises:
        ValueError: If the tokenizer knows tokens for which the model has no embedding.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    limits = model_limits(folder)
    if limits is None:
        return tokenizer
    highest = max(tokenizer.get_vocab().values(), default=0)
    if highest >= limits.tokens:
        raise ValueError(
            f"model '{folder}' embeds {limits.tokens} tokens, but its tokenizer knows {highest + 1}: save it with the "
            "tokenizer it was trained with, or resize its embedding (resize_token_embeddings) and save both again"
        )
    if limits.positions is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, limits.positions)
    return tokenizer


def check_length(max_tokens: int, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse prompts that a model cannot read.

    Args:
        max_tokens: Tokens of the longest prompt with its response.
        tokenizer: Tokenizer of the model, as ``bounded_tokenizer`` gives it.

    Raises:
        ValueError: If the model reads less.
    """
    if max_tokens > tokenizer.model_max_length:
        raise ValueError(
            f"prompting.max_tokens is {max_tokens}, but the model reads at most {tokenizer.model_max_length}: lower it"
        )


def _is_position_table(name: str, module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Embedding)
        and _POSITION_TABLE.search(name) is not None
        and _OTHER_TABLES.search(name) is None
    )


def _usable_rows(table: nn.Embedding) -> int:
    """Return how many positions a table holds; some families keep the first rows, up to that of padding, for none."""
    reserved = 0 if table.padding_idx is None else table.padding_idx + 1
    return table.num_embeddings - max(reserved, int(getattr(table, "offset", 0)))
