"""Optimal-transport selection: our search beside the paper's algorithm, greedy and random, cell by cell.

    python -m benchmarks.selection.search --quick                    # the smallest size, under 5 minutes
    python -m benchmarks.selection.search                            # every size
    python -m benchmarks.selection.search --embeddings FOLDER        # also on sample_embeddings.safetensors of a run
    python -m benchmarks.selection.search --peer submodular=PYTHON   # also greedy by submodlib and apricot
    python -m benchmarks.selection.search --certify                  # also the full one-swap certificate, smallest size
    python -m benchmarks.selection.search --million                  # also one million candidates in one process

All refinements of an instance start from the same greedy selection, and their first transport problem is the same.
Percentages are of objective + gradient weight. A killed run resumes at the next cell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cells import Cells, Figures, Table, options_of
from benchmarks.peers import add_peers
from benchmarks.selection.instances import (
    GRADIENT_WEIGHT,
    SIZES,
    clustered,
    hub_heavy,
    real,
    seeded_norms,
    timed_greedy,
)
from benchmarks.selection.search_checks import certify, greedy_peers, million, truth
from coresift.transport import BlockCost, balanced_k_medoids, solve_transport

METHODS = ("random", "greedy", "itra_released", "itra", "certified")
BASELINE_SECONDS, QUICK_BASELINE_SECONDS = 120.0, 30.0
RELEASED_SECONDS = 600.0
"""What the released algorithm may take at the middle size, where ours is held against it."""


class Start:
    """What all methods on one instance have in common, made when the first of them is new: costs and greedy start.

    Args:
        maker: Makes candidates and targets.
        size: Candidates, targets, budget.
    """

    def __init__(self, maker: Callable, size: tuple[int, int, int]) -> None:
        self._maker = maker
        self._size = size

    @cached_property
    def cost(self) -> BlockCost:
        """The costs."""
        train, valid = self._maker(*self._size[:2])
        return BlockCost(train, valid, seeded_norms(len(train)), GRADIENT_WEIGHT)

    @cached_property
    def scale_seconds(self) -> float:
        """Seconds of finding the largest distance."""
        started = time.perf_counter()
        _ = self.cost.distance_scale
        return time.perf_counter() - started

    @cached_property
    def greedy(self) -> tuple[NDArray[np.int64], float]:
        """The greedy selection and its seconds."""
        return timed_greedy(self.cost, self._size[2])


def instance(cells: Cells, name: str, maker: Callable, size: tuple[int, int, int], *, quick: bool) -> list[Figures]:
    """All methods on one instance."""
    start = Start(maker, size)
    return [
        cells.figures(f"{name} {method}", partial(run, method, start, limits_of(method, size, quick=quick)))
        for method in METHODS
    ]


def limits_of(method: str, size: tuple[int, int, int], *, quick: bool) -> dict[str, Any]:
    """Transport problems for ours, seconds for the others."""
    if not method.startswith("itra"):
        return {"max_solves": 300 if size == SIZES[0] else 40}
    held_against = (method, size) == ("itra_released", SIZES[1])
    seconds = QUICK_BASELINE_SECONDS if quick else RELEASED_SECONDS if held_against else BASELINE_SECONDS
    return {"max_solves": 10**9, "time_limit": seconds}


def run(method: str, start: Start, limits: dict[str, Any]) -> Figures:
    """One method from the common greedy start."""
    scale_seconds, cost, (medoids, greedy_seconds) = start.scale_seconds, start.cost, start.greedy
    if method in ("random", "greedy"):
        drawn = method == "random"
        rows = np.random.default_rng(0).permutation(len(cost))[: len(medoids)] if drawn else medoids
        value = solve_transport(cost.rows(rows, exact=True)).value
        figures = {"objective": value, "seconds": 0.0 if drawn else greedy_seconds, "solves": 1}
        return figures | {"scale_seconds": scale_seconds}
    started = time.perf_counter()
    result = balanced_k_medoids(cost, len(medoids), method=method, initial=medoids, **limits)
    return {
        "objective": result.objective,
        "seconds": time.perf_counter() - started + greedy_seconds,
        "solves": result.n_transport_solves,
        "lower_bound": result.lower_bound,
        "certified": result.certified,
        "trace": [(seconds - result.trace[0][0], objective) for seconds, objective in result.trace],
        "scale_seconds": scale_seconds,
    }


def report(name: str, found: dict[str, Figures], table: Table) -> None:
    """Print the rows of an instance, and how fast ours passes the released algorithm."""
    for method, cell in found.items():
        bound = []
        if "lower_bound" in cell:
            gap = (cell["objective"] - cell["lower_bound"]) / (cell["objective"] + GRADIENT_WEIGHT)
            bound = [f"{cell['lower_bound']:.5f}", f"{100 * gap:.2f}"]
        table.row(name, method, f"{cell['objective']:.5f}", f"{cell['seconds']:.1f}", str(cell["solves"]), *bound)
    passing(found["itra_released"], found["certified"])


def passing(released: Figures, ours: Figures) -> None:
    """How long ours takes to pass the final objective of the released algorithm, from the same first solve."""
    needed = next((seconds for seconds, value in ours["trace"] if value < released["objective"]), None)
    print(f"  our whole selection took {ours['seconds'] + ours['scale_seconds']:.1f} s, {ours['solves']} solves")
    spent = released["trace"][-1][0]
    if needed is not None and spent > 0:
        lower = 100 * (released["objective"] - ours["objective"]) / (released["objective"] + GRADIENT_WEIGHT)
        print(f"  ours passes itra_released's end after {needed:.2f} s, 1/{spent / max(needed, 1e-9):.0f} of its")
        print(f"  {spent:.1f} s, and ends {lower:.1f} % below it")


def compare(cells: Cells, makers: dict[str, Callable], sizes: Iterable[tuple[int, int, int]], *, quick: bool) -> None:
    """Print the table of all instances and save it."""
    table = Table(instance=34, method=15, objective=10, seconds=9, solves=8, bound=9, gap_in_percent=15)
    saved: dict[str, dict[str, Figures]] = {}
    for size in sizes:
        for kind, maker in makers.items():
            name = f"{kind} {size[0]}x{size[1]}x{size[2]}"
            saved[name] = dict(zip(METHODS, instance(cells, name, maker, size, quick=quick), strict=True))
            report(name, saved[name], table)
    cells.save_table(saved)


def main() -> None:
    """Run what was asked for and print the tables."""
    parser = options_of(__doc__, results="selection", quick="the smallest size only, 30 seconds for each baseline")
    add_peers(parser, ["submodular"])
    parser.add_argument("--certify", action="store_true", help="the full one-swap certificate as well (minutes)")
    parser.add_argument("--million", action="store_true", help="one million candidates as well")
    parser.add_argument("--embeddings", type=Path, help="folder with sample_embeddings.safetensors of a run")
    options = parser.parse_args()
    makers: dict[str, Callable] = {"clustered": clustered, "hub-heavy": hub_heavy}
    if options.embeddings:
        makers["real"] = real(options.embeddings)
    cells = Cells(options.out, quick=options.quick)
    compare(cells, makers, SIZES[:1] if options.quick else SIZES, quick=options.quick)
    truth(cells)
    for python in dict(options.peers).values():
        greedy_peers(python, cells)
    if options.certify:
        certify(cells)
    if options.million:
        million(cells)


if __name__ == "__main__":
    main()
