"""Optimal-transport selection: our search beside the paper's algorithm, greedy and random, cell by cell.

    python benchmarks/selection.py --quick                      # the smallest size, under 5 minutes
    python benchmarks/selection.py                              # every size; a killed run resumes at the next cell
    python benchmarks/selection.py --embeddings FOLDER          # also on sample_embeddings.safetensors of a run
    python benchmarks/selection.py --peers PYTHON               # also greedy by submodlib and apricot, installed there
    python benchmarks/selection.py --certify                    # also the full one-swap certificate, smallest size
    python benchmarks/selection.py --million                    # also one million candidates in one process

All refinements of an instance start from the same greedy selection, and their first transport problem is the same.
Percentages are of objective + gradient weight. Each cell is computed once and kept in --results.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from selection_instances import clustered, hub_heavy, real

from coresift.transport import BlockCost, balanced_k_medoids, solve_transport
from coresift.transport.greedy_start import greedy_medoids

SIZES = [(5000, 2000, 256), (15000, 5000, 1000), (45000, 4000, 1024)]
MILLION = (1_000_000, 5000, 4096)
METHODS = ("random", "greedy", "itra_released", "itra", "certified")
GRADIENT_WEIGHT = 0.3
BRUTE_FORCE_CASES = 60
Cell = dict[str, Any]


class CountedCost(BlockCost):
    """A cost that counts the rows whose products it forms."""

    rows_streamed = 0

    def _squared_distances(self, positions: slice | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        products, squares = super()._squared_distances(positions)
        self.rows_streamed += len(squares)
        return products, squares


class Results:
    """Finished cells in a file: a killed run starts again where it stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells: dict[str, Cell] = json.loads(path.read_text()) if path.exists() else {}

    def cell(self, name: str, compute: Callable[[], Cell]) -> Cell:
        """Returns a cell, computing and storing it if it is new."""
        if name not in self.cells:
            self.cells[name] = compute()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = self.path.with_suffix(".draft")
            draft.write_text(json.dumps(self.cells, indent=1))
            draft.replace(self.path)
        return self.cells[name]


def instance(kind: str, maker: Callable, size: tuple[int, int, int], results: Results, seconds: float) -> None:
    """All methods on one instance."""
    name = f"{kind} {size[0]}x{size[1]}x{size[2]}"
    if all(f"{name} {method}" in results.cells for method in METHODS):
        return
    train, valid = maker(*size[:2])
    norms = np.random.default_rng(1).gamma(30.0, 1 / 30, len(train))
    cost = BlockCost(train, valid, norms, GRADIENT_WEIGHT)
    started = time.perf_counter()
    _ = cost.distance_scale
    scale_seconds = time.perf_counter() - started
    start, greedy_seconds = timed_greedy(cost, size[2])
    for method in METHODS:
        results.cell(
            f"{name} {method}",
            lambda method=method: run(method, cost, start, greedy_seconds, seconds) | {"scale_seconds": scale_seconds},
        )


def timed_greedy(cost: BlockCost, budget: int) -> tuple[NDArray[np.int64], float]:
    """The greedy selection and its seconds, distances included."""
    started = time.perf_counter()
    rows = greedy_medoids(cost, budget, np.empty(0, dtype=np.int64), np.ones(len(cost), dtype=bool))
    return rows, time.perf_counter() - started


def run(method: str, cost: BlockCost, start: NDArray[np.int64], greedy_seconds: float, seconds: float) -> Cell:
    """One method from the common greedy start."""
    if method == "random":
        drawn = np.random.default_rng(0).permutation(len(cost))[: len(start)]
        return {"objective": solve_transport(cost.rows(drawn, exact=True)).value, "seconds": 0.0, "solves": 1}
    if method == "greedy":
        value = solve_transport(cost.rows(start, exact=True)).value
        return {"objective": value, "seconds": greedy_seconds, "solves": 1}
    limits: dict[str, Any] = {"max_solves": 300 if len(cost) <= SIZES[0][0] else 40}
    if method.startswith("itra"):
        limits = {"max_solves": 10**9, "time_limit": seconds}
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


def million(results: Results) -> None:
    """One million candidates: time, memory, passes, and the bare products of those passes."""

    def compute() -> Cell:
        train, valid = clustered(*MILLION[:2])
        norms = np.random.default_rng(1).gamma(30.0, 1 / 30, len(train))
        cost = CountedCost(train, valid, norms, GRADIENT_WEIGHT)
        started = time.perf_counter()
        result = balanced_k_medoids(cost, MILLION[2], max_solves=40)
        seconds = time.perf_counter() - started
        rows = torch.as_tensor(train[: 20 * cost.block_size])
        columns = torch.as_tensor(valid).T.contiguous()
        started = time.perf_counter()
        for chunk in rows.split(cost.block_size):
            torch.mm(chunk, columns)
        floor = (time.perf_counter() - started) / len(rows) * cost.rows_streamed
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        figures = {"passes": cost.rows_streamed / len(cost), "floor_seconds": floor, "peak_gb": peak}
        return figures | {
            "objective": result.objective,
            "lower_bound": result.lower_bound,
            "seconds": seconds,
            "solves": result.n_transport_solves,
        }

    cell = results.cell("million certified", compute)
    print("\none million candidates, 5,000 targets, 384 dimensions, budget 4,096")
    for name, value in cell.items():
        print(f"  {name:<14} {value:.4g}")
    print(f"  ratio to floor {cell['seconds'] / cell['floor_seconds']:.3g}")


def greedy_peers(python: str, results: Results) -> None:
    """The greedy stage beside other libraries, which read a finished similarity; ours computes its distances."""
    for library, (n_train, n_valid, budget) in {"submodlib": SIZES[0], "apricot": (5000, 5000, SIZES[0][2])}.items():
        name = f"peer {library} {n_train}x{n_valid}x{budget}"
        cell = results.cell(name, lambda one=library, size=(n_train, n_valid, budget): peer(python, one, size))
        print(f"{name:<34}{cell['peer_seconds']:>9.2f} s, ours {cell['seconds']:.2f} s", end="; mean nearest cost ")
        print(f"{cell['peer_cost']:.6f}, ours {cell['cost']:.6f}" if "peer_cost" in cell else cell["failure"])


def peer(python: str, library: str, size: tuple[int, int, int]) -> Cell:
    """One library and ours on the same instance; candidates and targets coincide where it takes squares only."""
    n_train, n_valid, budget = size
    train, valid = clustered(n_train, n_valid)
    cost = BlockCost(train, train if library == "apricot" else valid)
    _ = cost.distance_scale
    rows, seconds = timed_greedy(cost, budget)
    costs = cost.rows(np.arange(n_train))
    cell = {"seconds": seconds, "cost": float(costs[rows].min(axis=0).mean()), "peer_seconds": float("nan")}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "similarity.npy"
        np.save(path, np.ascontiguousarray(1.0 - costs.T))
        script = Path(__file__).with_name("selection_peers.py")
        command = [python, str(script), library, str(path), str(budget)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return cell | {"failure": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return cell | {"peer_seconds": answer["seconds"], "peer_cost": float(costs[answer["rows"]].min(axis=0).mean())}


def truth(results: Results) -> None:
    """How far from the true optimum small selections end."""

    def compute() -> Cell:
        distances = [distance_to_optimum(seed) for seed in range(BRUTE_FORCE_CASES)]
        return {"median": float(np.median(distances)), "largest": max(distances)}

    cell = results.cell("brute force", compute)
    print(
        f"{BRUTE_FORCE_CASES} brute-force cases: {100 * cell['median']:.3f} % above the optimum in the median, ", end=""
    )
    print(f"{100 * cell['largest']:.2f} % at most")


def distance_to_optimum(seed: int) -> float:
    """One small instance: the selection against every other one."""
    generator = np.random.default_rng(seed)
    n_train, n_valid, budget = (int(generator.integers(*limits)) for limits in ((8, 13), (4, 16), (2, 5)))
    cost = BlockCost(
        generator.normal(size=(n_train, 3)), generator.normal(size=(n_valid, 3)), generator.random(n_train), 0.3
    )
    costs = cost.rows(np.arange(n_train), exact=True)
    optimum = min(solve_transport(costs[list(chosen)]).value for chosen in combinations(range(n_train), budget))
    found = balanced_k_medoids(cost, budget, random_state=seed).objective
    return (found - optimum) / (optimum + cost.gradient_weight)


def certify(results: Results) -> None:
    """The full proof that no exchange of one row helps, at the smallest size."""

    def compute() -> Cell:
        train, valid = clustered(*SIZES[0][:2])
        norms = np.random.default_rng(1).gamma(30.0, 1 / 30, len(train))
        started, used = time.perf_counter(), time.process_time()
        result = balanced_k_medoids(BlockCost(train, valid, norms, GRADIENT_WEIGHT), SIZES[0][2], max_solves=10**6)
        return {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - used,
            "solves": result.n_transport_solves,
            "objective": result.objective,
            "certified": result.certified,
        }

    cell = results.cell("one-swap certificate", compute)
    print(f"one-swap certificate at {SIZES[0]}: {cell}")


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
            instance(kind, maker, size, results, 30.0 if arguments.quick else 600.0)
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
