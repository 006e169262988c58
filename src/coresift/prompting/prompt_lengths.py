"""Shorten prompts to a number of tokens: the oldest items go first, whole; a text is cut only as a last resort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from transformers import PreTrainedTokenizerBase

from coresift.foundation import shorten, tokenize

Render: TypeAlias = Callable[[int, list[str], bool], str]
"""Maps a sample's position, its items and whether long texts beside them are cut to its prompt."""


@dataclass
class FittedPrompts:
    """Prompts that fit, in the order of the samples.

    Attributes:
        texts: What is left of each prompt.
        tokens: Its token ids, without special tokens.
        n_shortened: Prompts that lost an item.
        n_cut: Prompts whose only item, or another long text, was cut within.
    """

    texts: list[str]
    tokens: list[list[int]]
    n_shortened: int = 0
    n_cut: int = 0


def fit_prompts(
    histories: list[list[str]],
    render: Render,
    tokenizer: PreTrainedTokenizerBase,
    *,
    longest: int,
) -> FittedPrompts:
    """Render prompts with as many of the latest items as fit.

    All prompts are rendered and tokenized together; those that are too long go another round with one item less.
    A prompt of one item that is still too long has its text cut by the tokens in excess. Where a prompt is too long
    without any item, its other texts, such as a profile, are cut and the items come back.

    Args:
        histories: Rendered items of each sample, oldest first.
        render: Makes a prompt of a sample's items, oldest first.
        tokenizer: Counts.
        longest: Tokens of the longest prompt, special tokens apart.

    Raises:
        ValueError: If a prompt without any item and with all texts cut is too long.
    """
    current = [list(history) for history in histories]
    fitted = FittedPrompts([""] * len(current), [[] for _ in current])
    pending, cut = list(range(len(current))), set()
    while pending:
        texts = [render(position, current[position], position in cut) for position in pending]
        too_long = []
        for position, text, tokens in zip(pending, texts, tokenize(tokenizer, texts), strict=True):
            fitted.texts[position], fitted.tokens[position] = text, tokens
            if len(tokens) <= longest:
                continue
            too_long.append(position)
            if current[position] or position in cut:
                current[position] = _shorter(current[position], len(tokens), tokenizer, longest=longest)
            else:
                cut.add(position)
                current[position] = list(histories[position])
        pending = too_long
    fitted.n_shortened = sum(len(now) < len(before) for now, before in zip(current, histories, strict=True))
    own = {place for place, now in enumerate(current) if now and now[-1] != histories[place][-1]}
    fitted.n_cut = len(own | cut)
    return fitted


def _shorter(history: list[str], length: int, tokenizer: PreTrainedTokenizerBase, *, longest: int) -> list[str]:
    """Return the history of a prompt that has ``length`` tokens, one step shorter."""
    if len(history) > 1:
        return history[1:]
    if not history:
        raise ValueError(
            f"prompting.max_tokens leaves {longest} tokens to a prompt, but the template alone takes {length}: "
            "raise max_tokens or shorten the template"
        )
    text = _without_last_tokens(history[0], length - longest, tokenizer)
    return [text] if text else []


def _without_last_tokens(text: str, count: int, tokenizer: PreTrainedTokenizerBase) -> str:
    if not tokenizer.is_fast:  # only fast tokenizers know where in the text a token stands
        room = max(0, len(tokenize(tokenizer, [text])[0]) - count)
        return shorten(tokenizer, text[:-1], room)
    options = {"add_special_tokens": False, "split_special_tokens": True, "return_offsets_mapping": True}
    ends = [end for _, end in tokenizer(text, **options)["offset_mapping"]]
    kept = ends[: max(0, len(ends) - count)]
    return text[: min(kept[-1], len(text) - 1)].rstrip() if kept else ""
