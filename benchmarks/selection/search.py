"""Optimal-transport selection: our search beside the paper's algorithm, greedy and random, cell by cell.

    python -m benchmarks.selection.search --quick                      # the smallest size, under 5 minutes
    python -m benchmarks.selection.search                              # every size; a killed run resumes at the next cell
    python -m benchmarks.selection.search --embeddings FOLDER          # also on sample_embeddings.safetensors of a run
    python -m benchmarks.selection.search --peers PYTHON               # also greedy by submodlib and apricot, installed there
    python -m benchmarks.selection.search --certify                    # also the full one-swap certificate, smallest size
    python -m benchmarks.selection.search --million                    # also one million candidates in one process

All refinements of an instance start from the same greedy selection, and their first transport problem is the same.
Percentages are of objective + gradient weight. Each cell is computed once and kept in --results.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.selection.instances import clustered, hub_heavy, real
from benchmarks.selection.search_checks import certify, greedy_peers, million, truth
from benchmarks.selection.selection_cells import GRADIENT_WEIGHT, SIZES, Cell, Results, seeded_norms, timed_greedy
from coresift.transport import BlockCost, balanced_k_medoids, solve_transport

METHODS = ("random", "greedy", "itra_released", "itra", "certified")
BASELINE_SECONDS, QUICK_BASELINE_SECONDS = 120.0, 30.0
RELEASED_SECONDS = 600.0
"""What the released algorithm may take at the middle size, where ours is held against it."""


def instance(kind: str, maker: Callable, size: tuple[int, int, int], results: Results, *, quick: bool) -> None:
    """All methods on one instance."""
    name = f"{kind} {size[0]}x{size[1]}x{size[2]}"
    if all(f"{name} {method}" in results.cells for method in METHODS):
        return
    train, valid = maker(*size[:2])
    norms = seeded_norms(len(train))
    cost = BlockCost(train, valid, norms, GRADIENT_WEIGHT)
    started = time.perf_counter()
    _ = cost.distance_scale
    scale_seconds = time.perf_counter() - started
    start, greedy_seconds = timed_greedy(cost, size[2])
    for method in METHODS:
        limits = limits_of(method, size, quick=quick)
        results.cell(
            f"{name} {method}",
            lambda method=method, limits=limits: (
                run(method, cost, start, greedy_seconds, limits) | {"scale_seconds": scale_seconds}
            ),
        )


def limits_of(method: str, size: tuple[int, int, int], *, quick: bool) -> dict[str, Any]:
    """Transport problems for ours, seconds for the others."""
    if not method.startswith("itra"):
        return {"max_solves": 300 if size == SIZES[0] else 40}
    held_against = (method, size) == ("itra_released", SIZES[1])
    seconds = QUICK_BASELINE_SECONDS if quick else RELEASED_SECONDS if held_against else BASELINE_SECONDS
    return {"max_solves": 10**9, "time_limit": seconds}


def run(method: str, cost: BlockCost, start: NDArray[np.int64], greedy_seconds: float, limits: dict[str, Any]) -> Cell:
    """One method from the common greedy start."""
    if method == "random":
        drawn = np.random.default_rng(0).permutation(len(cost))[: len(start)]
        return {"objective": solve_transport(cost.rows(drawn, exact=True)).value, "seconds": 0.0, "solves": 1}
    if method == "greedy":
        value = solve_transport(cost.rows(start, exact=True)).value
        return {"objective": value, "seconds": greedy_seconds, "solves": 1}
    started = time.perf_counter()
    result = balanced_k_medoids(cost, len(start), method=method, initial=start, **limits)
    return {
        "objective": result.objective,
        "seconds": time.perf_counter() - started + greedy_seconds,
        "solves": result.n_transport_solves,
        "lower_bound": result.lower_bound,
        "certified": result.certified,
        "trace": [(seconds - result.trace[0][0], objective) for seconds, objective in result.trace],
    }


def report(results: Results) -> None:
    """Prints the table, and how fast ours passes the released algorithm."""
    print(f"{'instance':<34}{'method':<15}{'objective':>10}{'seconds':>9}{'solves':>8}{'bound':>9}{'gap %':>7}")
    names = sorted({name.removesuffix(" random") for name in results.cells if name.endswith(" random")})
    for name in names:
        for method in METHODS:
            cell = results.cells.get(f"{name} {method}")
            if cell is None:
                continue
            line = f"{name:<34}{method:<15}{cell['objective']:>10.5f}{cell['seconds']:>9.1f}{cell['solves']:>8}"
            if "lower_bound" in cell:
                gap = cell["objective"] - cell["lower_bound"]
                line += f"{cell['lower_bound']:>9.5f}{100 * gap / (cell['objective'] + GRADIENT_WEIGHT):>7.2f}"
            print(line)
        passing(results, name)


def passing(results: Results, name: str) -> None:
    """How long ours takes to pass the final objective of the released algorithm, from the same first solve."""
    released, ours = (results.cells.get(f"{name} {method}") for method in ("itra_released", "certified"))
    if released is None or ours is None:
        return
    needed = next((seconds for seconds, value in ours["trace"] if value < released["objective"]), None)
    print(f"  our whole selection took {ours['seconds'] + ours['scale_seconds']:.1f} s, {ours['solves']} solves")
    spent = released["trace"][-1][0]
    if needed is not None and spent > 0:
        lower = 100 * (released["objective"] - ours["objective"]) / (released["objective"] + GRADIENT_WEIGHT)
        print(f"  ours passes itra_released's end after {needed:.2f} s, 1/{spent / max(needed, 1e-9):.0f} of its")
        print(f"  {spent:.1f} s, and ends {lower:.1f} % below it")


def main() -> None:
    """Runs what was asked for and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest size only, 30 seconds for each baseline")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter that has submodlib-py and apricot-select")
    parser.add_argument("--certify", action="store_true", help="the full one-swap certificate as well (minutes)")
    parser.add_argument("--million", action="store_true", help="one million candidates as well")
    parser.add_argument("--embeddings", type=Path, help="folder with sample_embeddings.safetensors of a run")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/selection.json"))
    arguments = parser.parse_args()
    path = arguments.results.with_stem(arguments.results.stem + ("-quick" if arguments.quick else ""))
    results = Results(path)
    makers: dict[str, Callable] = {"clustered": clustered, "hub-heavy": hub_heavy}
    if arguments.embeddings:
        makers["real"] = real(arguments.embeddings)
    for size in SIZES[:1] if arguments.quick else SIZES:
        for kind, maker in makers.items():
            instance(kind, maker, size, results, quick=arguments.quick)
    report(results)
    truth(results)
    if arguments.peers:
        greedy_peers(arguments.peers, results)
    if arguments.certify:
        certify(results)
    if arguments.million:
        million(results)


if __name__ == "__main__":
    main()
