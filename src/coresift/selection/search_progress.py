"""A bar for a search that reports objective and gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coresift.compute import progress_bar


@contextmanager
def shown_progress(description: str, max_solves: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """A bar over the transport solves of a search, with its objective and gap.

    Args:
        description: a word in front of the bar.
        max_solves: where the bar ends.

    Yields:
        What to pass as `on_progress`.
    """
    with progress_bar(range(max_solves), description=description) as bar:

        def show(report: dict[str, float]) -> None:
            bar.set_postfix(objective=f"{report['objective']:.4f}", gap=f"{report['gap']:.4f}", refresh=False)
            bar.update(int(report["n_transport_solves"]) - bar.n)

        yield show
