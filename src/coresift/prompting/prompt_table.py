"""Samples as text and as tokens: the table that every later stage reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from coresift.compute import progress_bar
from coresift.foundation import check_length, shorten
from coresift.prompting.histories import ItemFields
from coresift.prompting.layouts import SequenceLayout
from coresift.prompting.options import ClickTemplates, PromptingOptions, PromptTemplates
from coresift.prompting.prompt_lengths import FittedPrompts, fit_prompts
from coresift.prompting.responses import response_tokens, with_response_budget
from coresift.prompting.retrieval import similar_histories
from coresift.prompting.wording import ClickWording, NextItemWording, Wording
from coresift.storage import SCHEMAS, empty_table


def check_labels(samples: pa.Table, *, predicts_clicks: bool) -> None:
    """Refuse samples of the wrong kind before anything is trained on them.

    Args:
        samples: Table ``samples``.
        predicts_clicks: Whether the recommender tells liked from disliked items; otherwise a target is wanted.

    Raises:
        ValueError: If nothing was disliked and clicks are to be predicted, or something was and they are not.
    """
    has_disliked = pc.any(pc.equal(samples["label"], 0)).as_py()
    if predicts_clicks and len(samples) and not has_disliked:
        raise ValueError("no sample is disliked, so yes_no has nothing to tell apart: set ingestion.samples to click")
    if not predicts_clicks and has_disliked:
        raise ValueError(
            "samples hold items that were disliked, which this recommender would learn as wanted: set recommender.name "
            "to yes_no, or ingestion.samples to last"
        )


logger = logging.getLogger(__name__)

_SAMPLES_AT_ONCE = 16_384


@dataclass
class _Renderer:
    """Everything a block of samples is rendered with, and what was counted on the way."""

    tokenizer: PreTrainedTokenizerBase
    layout: SequenceLayout
    wording: Wording
    longest_prompt: int
    longest_response: int
    counts: dict[str, int] = field(default_factory=lambda: {"shortened": 0, "cut": 0, "responses cut": 0})

    def table(self, samples: pa.Table) -> pa.Table:
        """Return the rows of ``prompts`` for a block of samples."""
        responses = self.wording.responses(samples)
        prompts = self._prompts(samples)
        prompt_ids = [self.layout.prompt(tokens) for tokens in prompts.tokens]
        response_ids = self._response_ids(responses)
        columns = {
            "sample_id": samples["sample_id"],
            "target_id": pc.list_element(samples["targets"], 0),
            "label": samples["label"],
            "prompt": prompts.texts,
            "response": responses,
            "input_ids": [before + after for before, after in zip(prompt_ids, response_ids, strict=True)],
            "prompt_length": [len(tokens) for tokens in prompt_ids],
            "split": samples["split"],
        }
        return pa.table(columns, schema=SCHEMAS["prompts"])

    def _prompts(self, samples: pa.Table) -> FittedPrompts:
        histories, prompts = self.wording.histories(samples), self.wording.prompts(samples)
        fitted = fit_prompts(histories, prompts, self.tokenizer, longest=self.longest_prompt)
        self.counts["shortened"] += fitted.n_shortened
        self.counts["cut"] += fitted.n_cut
        return fitted

    def _response_ids(self, responses: list[str]) -> list[list[int]]:
        """Tokenize every distinct response once."""
        distinct = sorted(set(responses))
        found = response_tokens(self.tokenizer, distinct, self.longest_response)
        place = {response: number for number, response in enumerate(distinct)}
        self.counts["responses cut"] += sum(found.is_cut[place[response]] for response in responses)
        return [found.tokens[place[response]] for response in responses]


def render_prompts(
    samples: pa.Table,
    items: pa.Table,
    tokenizer: PreTrainedTokenizerBase,
    *,
    templates: PromptTemplates | ClickTemplates = PromptTemplates(),  # noqa: B008 - frozen
    users: pa.Table | None = None,
    history_length: int = PromptingOptions.history_length,
    history_choice: Literal["recent", "similar"] = PromptingOptions.history_choice,
    history_order: Literal["newest_first", "oldest_first"] = PromptingOptions.history_order,
    max_tokens: int = PromptingOptions.max_tokens,
    max_response_tokens: int = PromptingOptions.max_response_tokens,
    item_text_vectors: Tensor | None = None,
) -> pa.Table:
    """Render every sample as prompt and response, and tokenize both once.

    ``max_response_tokens`` of ``max_tokens`` are set apart for the response whatever its length, so that a prompt
    never depends on its target. What is too long of a prompt goes from its oldest item on. Text of a candidate or a
    profile that leaves no room even so is cut to ``max_response_tokens``.

    Args:
        samples: Table ``samples``.
        items: Table ``items``; row = item id.
        tokenizer: Tokenizer of the base model; its kind decides which special tokens stand where.
        templates: The words around the data: they ask for the next item, or whether one item will be liked.
        users: Table ``users``; row = user id. What templates read as ``user``.
        history_length: Items of a history that are read.
        history_choice: Read the ``recent`` items, or those ``similar`` to a click sample's candidate, in time order.
        history_order: Order of the items in a prompt.
        max_tokens: Tokens of prompt and response together, special tokens included.
        max_response_tokens: Tokens of the response within that.
        item_text_vectors: (M, d) vectors that tell which items are similar; row = item id.

    Returns:
        Table ``prompts``, in the order of ``samples``; its metadata say ``max_response_tokens``.

    Raises:
        ValueError: If a template is wrong, or leaves no room within ``max_tokens``, or if similar items are asked for
            without vectors, or for a prompt that must not know its target.
    """
    if history_choice == "similar":
        samples = _most_similar(samples, templates, item_text_vectors, longest=history_length)
    layout = SequenceLayout.of(tokenizer)
    room = max_tokens - max_response_tokens - len(layout.before) - len(layout.border)
    _check_lengths(room, max_tokens, max_response_tokens, tokenizer, layout)
    catalogue, profiles = ItemFields(items), [] if users is None else users.to_pylist()
    order: dict[str, Any] = {"history_length": history_length, "newest_first": history_order == "newest_first"}
    order["shorten"] = lambda text: shorten(tokenizer, text, max_response_tokens)
    wording = (
        ClickWording(templates, catalogue, profiles, **order)
        if isinstance(templates, ClickTemplates)
        else NextItemWording(templates, catalogue, profiles, **order)
    )
    renderer = _Renderer(tokenizer, layout, wording, room, max_response_tokens)
    starts = range(0, len(samples), _SAMPLES_AT_ONCE)
    blocks = [
        renderer.table(samples.slice(start, _SAMPLES_AT_ONCE))
        for start in progress_bar(starts, description="Rendering prompts")
    ]
    prompts = with_response_budget(pa.concat_tables([empty_table("prompts"), *blocks]), max_response_tokens)
    _report(prompts, tokenizer, renderer.counts)
    return prompts


def _most_similar(
    samples: pa.Table, templates: PromptTemplates | ClickTemplates, vectors: Tensor | None, *, longest: int
) -> pa.Table:
    if not isinstance(templates, ClickTemplates):
        raise ValueError(
            "prompting.history_choice is 'similar' to the target, so that a prompt that asks for the next item would "
            "depend on it: use recent"
        )
    if vectors is None:
        raise ValueError("prompting.history_choice 'similar' needs item_text_vectors: run the foundation pipeline")
    return similar_histories(samples, vectors, longest=longest)


def _check_lengths(
    room: int, max_tokens: int, max_response_tokens: int, tokenizer: PreTrainedTokenizerBase, layout: SequenceLayout
) -> None:
    check_length(max_tokens, tokenizer)
    if room < 1 or max_response_tokens <= len(layout.end):
        raise ValueError(
            f"prompting.max_tokens {max_tokens} and max_response_tokens {max_response_tokens} leave no room for text "
            "between the model's special tokens: raise them"
        )


def _report(prompts: pa.Table, tokenizer: PreTrainedTokenizerBase, counts: dict[str, int]) -> None:
    if not len(prompts):
        return
    logger.info(
        "Rendered %d prompts of %.0f tokens on average; %d lost their oldest items, %d had a single text cut, "
        "%d responses were cut.",
        len(prompts),
        pc.mean(prompts["prompt_length"]).as_py(),
        counts["shortened"],
        counts["cut"],
        counts["responses cut"],
    )
    logger.info("The first one reads: %r", tokenizer.decode(prompts["input_ids"][0].as_py()))
