"""The recommenders by name, as their options declare them; nothing heavy is loaded."""

from __future__ import annotations

from typing import Any

from coresift.recommenders.dense.options import DenseOptions
from coresift.recommenders.options import RecommenderOptions
from coresift.recommenders.semantic_id.options import CodeModelOptions
from coresift.recommenders.title_generation.options import TitleGenerationOptions
from coresift.recommenders.yes_no.options import YesNoOptions

RECOMMENDER_OPTIONS: dict[str, type[RecommenderOptions]] = {
    kind.name: kind for kind in (TitleGenerationOptions, YesNoOptions, CodeModelOptions, DenseOptions)
}
"""What declares the options of every recommender, by the name that ``recommender.name`` takes."""

DEFAULT_RECOMMENDER = DenseOptions.name


def recommender_options(name: str, **options: Any) -> RecommenderOptions:  # noqa: ANN401 - each recommender types its own
    """Return the options of a recommender.

    Args:
        name: One of ``RECOMMENDER_OPTIONS``.
        **options: What is not to have its default.

    Raises:
        ValueError: If the name is unknown, or a value out of bounds.
    """
    if name not in RECOMMENDER_OPTIONS:
        raise ValueError(f"recommender.name is '{name}': use one of {', '.join(sorted(RECOMMENDER_OPTIONS))}")
    return RECOMMENDER_OPTIONS[name](**options)
