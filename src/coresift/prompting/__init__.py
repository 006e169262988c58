"""Samples as prompts: Jinja2 templates, special and chat tokens, rendering and tokenizing within a length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coresift.doors import opened_when_used

if TYPE_CHECKING:
    from coresift.foundation import tokenize
    from coresift.prompting.layouts import SequenceLayout
    from coresift.prompting.options import ClickQuestion, ClickTemplates, PromptingOptions, PromptTemplates
    from coresift.prompting.prompt_table import check_labels, render_prompts
    from coresift.prompting.responses import LONGEST_RESPONSE, response_budget, response_tokens
else:
    __getattr__ = opened_when_used(__name__)

__all__ = [
    "LONGEST_RESPONSE",
    "ClickQuestion",
    "ClickTemplates",
    "PromptTemplates",
    "PromptingOptions",
    "SequenceLayout",
    "check_labels",
    "render_prompts",
    "response_budget",
    "response_tokens",
    "tokenize",
]
