"""Optimal-transport selection: our search beside the paper's algorithm, greedy and random, cell by cell.

    python benchmarks/selection.py --quick                      # the smallest size, under 5 minutes
    python benchmarks/selection.py                              # every size; a killed run resumes at the next cell
    python benchmarks/selection.py --embeddings FOLDER          # also on sample_embeddings.safetensors of a run
    python benchmarks/selection.py --million                    # one million candidates in one process

All refinements of an instance start from the same greedy selection. Percentages are of objective + gradient weight.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from coresift.transport import BlockCost, balanced_k_medoids, solve_transport
from coresift.transport.greedy_start import greedy_medoids

SIZES = [(5000, 2000, 256), (15000, 5000, 1000), (45000, 4000, 1024)]
MILLION = (1_000_000, 5000, 4096)
METHODS = ("random", "greedy", "itra_released", "itra", "certified")
GRADIENT_WEIGHT = 0.3
DIMENSIONS = 384
Cell = dict[str, Any]


class CountedCost(BlockCost):
    """A cost that counts the rows it streams."""

    rows_streamed = 0

    def blocks(self, indices: NDArray[np.int64] | None = None) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
        """Streams as the cost does, counting."""
        for positions, block in super().blocks(indices):
            self.rows_streamed += len(positions)
            yield positions, block


def clustered(n_train: int, n_valid: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A hundred clusters, of which the validation rows use each to another extent."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((100, DIMENSIONS), dtype=np.float32)
    train, valid = (generator.standard_normal((size, DIMENSIONS), dtype=np.float32) for size in (n_train, n_valid))
    for rows, shares in ((train, None), (valid, generator.dirichlet(np.ones(100)))):
        rows *= 0.5
        for chunk in np.array_split(rows, max(1, len(rows) // 10_000)):
            chunk += centres[generator.choice(100, len(chunk), p=shares)]
    return train, valid


def hub_heavy(n_train: int, n_valid: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows of very different length: the short ones are near everything."""
    generator = np.random.default_rng(0)
    return tuple(
        generator.standard_normal((size, DIMENSIONS), np.float32)
        * (0.3 + generator.standard_exponential((size, 1), np.float32))
        for size in (n_train, n_valid)
    )


def real(folder: Path) -> Callable[[int, int], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Embeddings of a finished run, thinned evenly to the size asked for."""
    tensors = load_file(folder / "sample_embeddings.safetensors")

    def thinned(n_train: int, n_valid: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        splits = [tensors["embedding"][tensors["split"] == split] for split in (0, 1)]
        sizes = zip(splits, (n_train, n_valid), strict=True)
        return tuple(rows[np.linspace(0, len(rows) - 1, min(size, len(rows))).astype(int)] for rows, size in sizes)

    return thinned


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
    _ = cost.distance_scale
    started = time.perf_counter()
    start = greedy_medoids(cost, size[2], np.empty(0, dtype=np.int64), np.ones(len(train), dtype=bool))
    greedy_seconds = time.perf_counter() - started
    for method in METHODS:
        results.cell(f"{name} {method}", lambda method=method: run(method, cost, start, greedy_seconds, seconds))


def run(method: str, cost: BlockCost, start: NDArray[np.int64], greedy_seconds: float, seconds: float) -> Cell:
    """One method from the common greedy start."""
    if method == "random":
        drawn = np.random.default_rng(0).permutation(len(cost))[: len(start)]
        return {"objective": solve_transport(cost.rows(drawn, exact=True)).value, "seconds": 0.0, "solves": 1}
    if method == "greedy":
        value = solve_transport(cost.rows(start, exact=True)).value
        return {"objective": value, "seconds": greedy_seconds, "solves": 1}
    limits = {"max_solves": 10**9, "time_limit": seconds} if method.startswith("itra") else {"max_solves": 40}
    if method == "certified" and len(cost) <= SIZES[0][0]:
        limits = {"max_solves": 300}
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
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        figures = {"passes": cost.rows_streamed / len(cost), "floor_seconds": floor, "peak_gib": peak}
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


def report(results: Results) -> None:
    """Prints the table, and how fast ours passes the released algorithm."""
    print(f"{'instance':<34}{'method':<15}{'objective':>10}{'seconds':>9}{'solves':>8}{'bound':>9}{'gap %':>7}")
    names = sorted({name.rsplit(" ", 1)[0] for name in results.cells if not name.startswith("million")})
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
    spent = released["trace"][-1][0]
    if needed is not None and spent > 0:
        lower = 100 * (released["objective"] - ours["objective"]) / (released["objective"] + GRADIENT_WEIGHT)
        print(f"  ours passes itra_released's end after {needed:.2f} s, 1/{spent / max(needed, 1e-9):.0f} of its")
        print(f"  {spent:.1f} s, and ends {lower:.1f} % below it")


def main() -> None:
    """Runs what was asked for and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest size only, 30 seconds for each baseline")
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
    if arguments.million:
        million(results)


if __name__ == "__main__":
    main()
