"""Nodes of the prompting pipeline."""

from __future__ import annotations

from pathlib import Path

from coresift.pipelines.prompting.params import PromptingParameters
from coresift.typing import Table


def render_prompts(
    samples: Table, items: Table, users: Table, base_model: Path, *, parameters: PromptingParameters
) -> Table:
    """Render every sample as prompt and response, and tokenise both once."""
    from coresift import prompting
    from coresift.foundation import load_tokenizer

    return prompting.render_prompts(
        samples,
        items,
        load_tokenizer(base_model),
        templates=prompting.PromptTemplates(**parameters.templates.model_dump()),
        users=users,
        **parameters.model_dump(exclude={"templates"}),
    )
