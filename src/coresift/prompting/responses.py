"""Responses as tokens: one rule for what is learnt, what may be written and what is ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from transformers import PreTrainedTokenizerBase

from coresift.foundation import tokenize
from coresift.prompting.layouts import SequenceLayout
from coresift.prompting.options import PromptingOptions

LONGEST_RESPONSE = PromptingOptions.max_response_tokens
"""Tokens of a response where nothing else is said."""
_BUDGET = b"max_response_tokens"


@dataclass(frozen=True)
class Responses:
    """Texts as a model answers with them.

    Attributes:
        tokens: Token ids of each, within the budget and with the end.
        is_cut: Whether a text's last tokens are missing before its end.
    """

    tokens: list[list[int]]
    is_cut: list[bool]


def response_tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], longest: int) -> Responses:
    """Tokenize responses, those of prompts as well as the titles of a catalogue.

    Args:
        tokenizer: Tokenizer of the base model.
        texts: What is answered.
        longest: Most tokens of a response; a longer text is cut before its end.
    """
    layout = SequenceLayout.of(tokenizer)
    rows = tokenize(tokenizer, texts)
    room = longest - len(layout.end)
    return Responses([layout.response(row, longest) for row in rows], [len(row) > room for row in rows])


def with_response_budget(prompts: pa.Table, longest: int) -> pa.Table:
    """Note in a table of prompts how many tokens a response has at most."""
    return prompts.replace_schema_metadata({**(prompts.schema.metadata or {}), _BUDGET: str(longest).encode()})


def response_budget(prompts: pa.Table, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many tokens a response of these prompts has at most.

    Prompts that do not say so, made elsewhere, have as many as their longest response if that one is cut, else the
    usual number at least.

    Args:
        prompts: Table ``prompts``.
        tokenizer: The one they were made with.
    """
    noted = (prompts.schema.metadata or {}).get(_BUDGET)
    if noted is not None:
        return int(noted)
    lengths = np.asarray(pc.list_value_length(prompts["input_ids"])) - np.asarray(prompts["prompt_length"])
    longest = int(lengths.max(initial=0))
    if longest and response_tokens(tokenizer, [prompts["response"][int(lengths.argmax())].as_py()], longest).is_cut[0]:
        return longest
    return max(LONGEST_RESPONSE, longest)
