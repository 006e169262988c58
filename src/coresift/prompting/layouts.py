"""Where special tokens stand in a sequence: around the prompt, between prompt and response, at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

_PROMPT_MARK = "@@prompt@@"
_RESPONSE_MARK = "@@response@@"
_CHAT_DATE = "01 Jan 2025"
"""Some chat templates write today's date, which would make two runs differ."""


@dataclass(frozen=True)
class SequenceLayout:
    """Token ids around the text of a sample.

    Attributes:
        before: In front of the prompt.
        border: Behind the prompt; the prompt with both is a whole input of its own.
        end: Behind the response.
    """

    before: tuple[int, ...]
    border: tuple[int, ...]
    end: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> SequenceLayout:
        """Return the layout that a tokenizer's model expects.

        With a chat template the prompt is the user's message and the response the assistant's. An encoder, known by
        its tokens for classification and separation, gets ``[CLS] prompt [SEP] response [SEP]``; any other model
        ``<bos> prompt response <eos>``, with ``<bos>`` only if the tokenizer itself begins a text with it.
        """
        if tokenizer.chat_template:
            return _chat_layout(tokenizer)
        if tokenizer.cls_token_id is not None and tokenizer.sep_token_id is not None:
            separator = (tokenizer.sep_token_id,)
            return cls((tokenizer.cls_token_id,), separator, separator)
        begins = tokenizer.bos_token_id in tokenizer("")["input_ids"]
        end = () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,)
        return cls((tokenizer.bos_token_id,) if begins else (), (), end)

    def prompt(self, text: Sequence[int]) -> list[int]:
        """Return the prompt part of a sequence."""
        return [*self.before, *text, *self.border]

    def response(self, text: Sequence[int], longest: int) -> list[int]:
        """Return the response part, its text cut so that the end fits into ``longest`` tokens."""
        return [*text[: max(0, longest - len(self.end))], *self.end]


def _chat_layout(tokenizer: PreTrainedTokenizerBase) -> SequenceLayout:
    question = [{"role": "user", "content": _PROMPT_MARK}]
    answer = [*question, {"role": "assistant", "content": _RESPONSE_MARK}]
    asked = _chat_text(tokenizer, question, add_generation_prompt=True)
    answered = _chat_text(tokenizer, answer, add_generation_prompt=False)
    before, _, border = asked.partition(_PROMPT_MARK)
    parts = (before, border, answered.rpartition(_RESPONSE_MARK)[2])
    return SequenceLayout(*(tuple(tokenizer(part, add_special_tokens=False)["input_ids"]) for part in parts))


def _chat_text(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, add_generation_prompt: bool
) -> str:
    return tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=add_generation_prompt, date_string=_CHAT_DATE
    )
