"""Nodes of the prompting pipeline."""

from __future__ import annotations

from pathlib import Path

from coresift.parameters import RecommenderParameters
from coresift.pipelines.prompting.params import PromptingParameters
from coresift.typing import Table, TensorDict


def render_prompts(
    samples: Table,
    items: Table,
    users: Table,
    base_model: Path,
    item_text_vectors: TensorDict,
    *,
    parameters: PromptingParameters,
    recommender: RecommenderParameters,
) -> Table:
    """Render every sample as prompt and response, and tokenize both once."""
    from coresift import prompting
    from coresift.foundation import load_tokenizer
    from coresift.storage import rows_of_items

    answers = recommender.options.click_answers
    prompting.check_labels(samples, predicts_clicks=answers is not None)
    templates: prompting.PromptTemplates | prompting.ClickTemplates
    if answers is not None:
        templates = prompting.ClickTemplates(**parameters.click_templates.model_dump(), answers=answers)
    else:
        templates = parameters.templates
    return prompting.render_prompts(
        samples,
        items,
        load_tokenizer(base_model),
        templates=templates,
        users=users,
        item_text_vectors=rows_of_items(item_text_vectors, dataset="item_text_vectors", n_items=items.num_rows),
        **parameters.model_dump(exclude={"templates", "click_templates"}),
    )
