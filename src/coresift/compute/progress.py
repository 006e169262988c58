"""One progress bar for the whole project: visible on a terminal, silent elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress_bar(
    iterable: Iterable[Item], *, description: str, total: int | None = None, unit: str = "it"
) -> tqdm[Item]:
    """Wrap an iterable in a bar with rate and time left; nothing is printed unless stderr is a terminal.

    Args:
        iterable: What to count.
        description: A few words in front of the bar.
        total: Number of items, where ``iterable`` has no length.
        unit: What the rate counts.
    """
    return tqdm(iterable, desc=description, total=total, unit=unit, disable=None, leave=False, dynamic_ncols=True)
