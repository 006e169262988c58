"""Samples as prompts: Jinja2 templates, special and chat tokens, rendering and tokenising within a length."""

from coresift.foundation import tokenise
from coresift.prompting.layouts import SequenceLayout
from coresift.prompting.prompt_table import check_labels, render_prompts
from coresift.prompting.responses import LONGEST_RESPONSE, response_budget, response_tokens
from coresift.prompting.templates import ClickTemplates, PromptTemplates

__all__ = [
    "LONGEST_RESPONSE",
    "ClickTemplates",
    "PromptTemplates",
    "SequenceLayout",
    "check_labels",
    "render_prompts",
    "response_budget",
    "response_tokens",
    "tokenise",
]
