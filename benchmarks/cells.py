"""What all benchmarks do alike: read the common options, resume cells, save figures, print tables, measure in turns.

A cell is one measurement with a name. It is kept in a file of its own once it is finished, so that a killed run goes on
at the next cell, and a second run prints the table in seconds.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

RESULTS = Path("benchmarks/results")
Figures = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


class Difference(Protocol):
    """What a paired bootstrap says of two sides."""

    mean_difference: float
    low: float
    high: float


def options_of(description: str | None, *, results: str, quick: str) -> argparse.ArgumentParser:
    """Return a parser of the options that every benchmark has.

    Args:
        description: The benchmark's own docstring.
        results: Folder of its cells below ``benchmarks/results``.
        quick: What ``--quick`` leaves out.
    """
    spec = sys.modules["__main__"].__spec__
    parser = argparse.ArgumentParser(
        prog=f"python -m {spec.name}" if spec else None,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--out", type=Path, default=RESULTS / results, help="finished cells and tables: %(default)s")
    return parser


def rows_of(parser: argparse.ArgumentParser, names: list[str], known: Collection[str]) -> list[str]:
    """Return the rows of a table that were asked for, or end with a sentence where there is no such row."""
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no row {', '.join(unknown)}; rows: {', '.join(known)}")
    return names


class Cells:
    """The finished cells of one benchmark.

    Args:
        folder: Where they and the tables lie.
        of: What all cells share without naming it, as the run they read or the number of threads. A folder with cells
            of anything else is refused, so that no table compares different work.
        quick: Whether these are cells of the quick form, which stand apart.

    Raises:
        SystemExit: If the folder holds cells of something else.
    """

    def __init__(self, folder: Path, of: Mapping[str, object] | None = None, *, quick: bool = False) -> None:
        self.folder = folder
        self._suffix = "-quick" if quick else ""
        folder.mkdir(parents=True, exist_ok=True)
        if of:
            self._keep_to({name: str(value) for name, value in of.items()})

    def _keep_to(self, wanted: dict[str, str]) -> None:
        file = self.folder / f"cells-of{self._suffix}.json"
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else wanted
        if found != wanted:
            described = [", ".join(f"{name} {value}" for name, value in each.items()) for each in (found, wanted)]
            raise SystemExit(
                f"{self.folder} holds cells of {described[0]}; this run is of {described[1]}: "
                "give another folder with --out, or delete that one"
            )
        _write(file, _json(wanted))

    def path(self, name: str, ending: str) -> Path:
        """Return where a cell lies."""
        return self.folder / f"{name.replace(', ', '-').replace(' ', '_')}{self._suffix}{ending}"

    def figures(self, name: str, measure: Callable[[], Figures]) -> Figures:
        """Return the figures of a cell, measured if they are new."""
        file = self.path(name, ".json")
        if not file.exists():
            _write(file, _json(measure()))
        figures: Figures = json.loads(file.read_text(encoding="utf-8"))
        return figures

    def arrays(self, name: str, measure: Callable[[], Mapping[str, Any]]) -> Arrays:
        """Return the arrays of a cell, measured if they are new."""
        file = self.path(name, ".npz")
        if not file.exists():
            buffer = io.BytesIO()
            np.savez(buffer, **measure())
            _write(file, buffer.getvalue())
        with np.load(file) as arrays:
            return dict(arrays)

    def save_table(self, table: Mapping[str, Any]) -> None:
        """Keep what was printed as JSON."""
        _write(self.path("table", ".json"), _json(table))


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _write(file: Path, content: bytes) -> None:
    """Write a file that is whole or absent."""
    draft = file.with_name(f"{file.name}.draft")
    draft.write_bytes(content)
    draft.replace(file)


class Table:
    """A table on the screen, a row as soon as it is known.

    Args:
        columns: Name and width of each column; the first is aligned left, the others right.
    """

    def __init__(self, **columns: int) -> None:
        self._widths = list(columns.values())
        self.row(*(name.replace("_", " ") for name in columns))

    def row(self, *values: str) -> None:
        """Print one row; a value wider than its column moves the rest."""
        first, *others = zip(values, self._widths, strict=False)
        cells = [f"{first[0]:<{first[1]}}", *(f"{value:>{width}}" for value, width in others)]
        print(" ".join(cells).rstrip(), flush=True)


def with_interval(figure: tuple[float, float, float]) -> str:
    """Spell a mean with its interval."""
    mean, low, high = figure
    return f"{mean:.4f} ({low:.4f} - {high:.4f})"


def difference(found: Difference) -> str:
    """Spell a paired difference with its interval."""
    return f"{found.mean_difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def is_no_worse(found: Difference, other: float) -> bool:
    """Tell whether ours is no worse: the interval stays above minus a tenth of the other side's mean."""
    return bool(found.low > -0.1 * other)


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of every way, which take turns, after one unmeasured turn of each."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            started = time.process_time()
            way()
            if turn:
                seconds[name].append(time.process_time() - started)
    return {name: statistics.median(times) for name, times in seconds.items()}
