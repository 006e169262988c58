"""Shorten prompts to a number of tokens: the oldest items go first, whole; a text is cut only as a last resort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase


@dataclass
class FittedPrompts:
    """Prompts that fit, in the order of the samples.

    Attributes:
        texts: What is left of each prompt.
        tokens: Its token ids, without special tokens.
        n_shortened: Prompts that lost an item.
        n_cut: Prompts whose only item was cut within its text.
    """

    texts: list[str]
    tokens: list[list[int]]
    n_shortened: int = 0
    n_cut: int = 0


def tokenise(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """Return the token ids of texts; the name of a special token within a title is read as ordinary text."""
    return tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]


def fit_prompts(
    histories: list[list[str]],
    render: Callable[[int, list[str]], str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    longest: int,
) -> FittedPrompts:
    """Render prompts with as many of the latest items as fit.

    All prompts are rendered and tokenised together; those that are too long go another round with one item less.
    A prompt of one item that is still too long has its text cut by the tokens in excess.

    Args:
        histories: Rendered items of each sample, oldest first.
        render: Called with a sample's position and its items, oldest first; returns the prompt.
        tokenizer: Counts.
        longest: Tokens of the longest prompt, special tokens apart.

    Raises:
        ValueError: If a prompt without any item is too long.
    """
    current = [list(history) for history in histories]
    fitted = FittedPrompts([""] * len(current), [[] for _ in current])
    pending = list(range(len(current)))
    while pending:
        texts = [render(position, current[position]) for position in pending]
        too_long = []
        for position, text, tokens in zip(pending, texts, tokenise(tokenizer, texts), strict=True):
            fitted.texts[position], fitted.tokens[position] = text, tokens
            if len(tokens) > longest:
                current[position] = _shorter(current[position], len(tokens), tokenizer, longest=longest)
                too_long.append(position)
        pending = too_long
    fitted.n_shortened = sum(len(now) < len(before) for now, before in zip(current, histories, strict=True))
    fitted.n_cut = sum(bool(now) and now[-1] != old[-1] for now, old in zip(current, histories, strict=True))
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
    ends = [end for _, end in tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]]
    kept = ends[: max(0, len(ends) - count)]
    return text[: min(kept[-1], len(text) - 1)].rstrip() if kept else ""
