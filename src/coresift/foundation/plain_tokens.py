"""Text as tokens: what only looks like a control token is text, whichever tokenizer a model brings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

_MARKUP = re.compile(r"<.+>|\[.+\]", re.DOTALL)
"""Added tokens of this form steer a model even where its tokenizer does not call them special."""


def tokenize(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of texts, without the tokens that a model wants around them.

    The name of a control token within a text is read as ordinary text.
    """
    if not texts:
        return []
    rows = tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
    control = _control_tokens(tokenizer)
    spelled: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        if not control.keys().isdisjoint(row):
            rows[place] = [part for token in row for part in _as_text(token, control, spelled, tokenizer)]
    return rows


def tokenize_whole(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, longest: int) -> list[list[int]]:
    """Return the token ids of texts within the tokens that a model wants around them.

    Args:
        tokenizer: Tokenizer of the model.
        texts: Texts; of a long one the end is not read.
        longest: Most tokens of a text in all, at most what the model reads.
    """
    before, after = _surroundings(tokenizer)
    room = max(0, min(longest, tokenizer.model_max_length) - len(before) - len(after))
    return [[*before, *row[:room], *after] for row in tokenize(tokenizer, texts)]


def shorten(tokenizer: PreTrainedTokenizerBase, text: str, longest: int) -> str:
    """Return the beginning of a text that takes no more than ``longest`` tokens."""
    if len(tokenize(tokenizer, [text])[0]) <= longest:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if len(tokenize(tokenizer, [text[:middle].rstrip()])[0]) <= longest:
            fits = middle
        else:
            too_long = middle
    return text[:fits].rstrip()


def _control_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """Return the tokens that text must never become, by id.

    The token for unknown text is none of them, nor is a single character, which cannot be spelled in parts.
    """
    special = set(tokenizer.all_special_tokens)
    added = {name for name in tokenizer.get_added_vocab() if _MARKUP.fullmatch(name)}
    ids = {tokenizer.convert_tokens_to_ids(name): name for name in special | added if len(name) > 1}
    unknown = tokenizer.unk_token_id
    return {token: name for token, name in ids.items() if token is not None and token != unknown}


def _as_text(
    token: int, control: dict[int, str], spelled: dict[int, list[int]], tokenizer: PreTrainedTokenizerBase
) -> list[int]:
    """Return a token as it is, or the name of a control token in two parts, neither of which is one."""
    if token not in control:
        return [token]
    if token not in spelled:
        name = control[token]
        parts = tokenizer([name[:1], name[1:]], add_special_tokens=False, split_special_tokens=True)["input_ids"]
        spelled[token] = [part for row in parts for part in row if part not in control]
    return spelled[token]


def _surroundings(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Return the tokens that the tokenizer puts before and behind a text."""
    probe = "a"
    inner = tokenizer(probe, add_special_tokens=False)["input_ids"]
    whole = tokenizer(probe)["input_ids"]
    starts = range(len(whole) - len(inner) + 1)
    start = next((place for place in starts if whole[place : place + len(inner)] == inner), 0)
    return whole[:start], whole[start + len(inner) :]
