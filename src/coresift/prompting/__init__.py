"""Samples as prompts: Jinja2 templates, special and chat tokens, rendering and tokenising within a length."""

from coresift.prompting.layouts import SequenceLayout
from coresift.prompting.rendering import render_prompts
from coresift.prompting.templates import PromptTemplates

__all__ = ["PromptTemplates", "SequenceLayout", "render_prompts"]
