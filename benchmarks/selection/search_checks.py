"""What the selection benchmark shows apart from its table: scale, other libraries' greedy, truth and certificate."""

from __future__ import annotations

import resource
import tempfile
import time
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from benchmarks.cells import Cells, Figures
from benchmarks.peers import PeerError, run_module
from benchmarks.selection.instances import GRADIENT_WEIGHT, SIZES, clustered, seeded_norms, timed_greedy
from coresift.transport import BlockCost, balanced_k_medoids, solve_transport

MILLION = (1_000_000, 5000, 4096)
BRUTE_FORCE_CASES = 60


class CountedCost(BlockCost):
    """A cost that counts the rows whose products it forms."""

    rows_streamed = 0

    def _squared_distances(self, positions: slice | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        products, squares = super()._squared_distances(positions)
        self.rows_streamed += len(squares)
        return products, squares


def million(cells: Cells) -> None:
    """One million candidates: time, memory, passes, and the bare products of those passes."""

    def compute() -> Figures:
        train, valid = clustered(*MILLION[:2])
        norms = seeded_norms(len(train))
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

    cell = cells.figures("million certified", compute)
    print("\none million candidates, 5,000 targets, 384 dimensions, budget 4,096")
    for name, value in cell.items():
        print(f"  {name:<14} {value:.4g}")
    print(f"  ratio to floor {cell['seconds'] / cell['floor_seconds']:.3g}")


def greedy_peers(python: str, cells: Cells) -> None:
    """The greedy stage beside other libraries, which read a finished similarity; ours computes its distances."""
    for library, (n_train, n_valid, budget) in {"submodlib": SIZES[0], "apricot": (5000, 5000, SIZES[0][2])}.items():
        name = f"peer {library} {n_train}x{n_valid}x{budget}"
        try:
            cell = cells.figures(name, partial(peer, python, library, (n_train, n_valid, budget)))
        except PeerError as error:
            print(f"{name:<34} failed: {error}")
            continue
        print(f"{name:<34}{cell['peer_seconds']:>9.2f} s, ours {cell['seconds']:.2f} s", end="; mean nearest cost ")
        print(f"{cell['peer_cost']:.6f}, ours {cell['cost']:.6f}")


def peer(python: str, library: str, size: tuple[int, int, int]) -> Figures:
    """One library and ours on the same instance; candidates and targets coincide where it takes squares only."""
    n_train, n_valid, budget = size
    train, valid = clustered(n_train, n_valid)
    cost = BlockCost(train, train if library == "apricot" else valid)
    _ = cost.distance_scale
    rows, seconds = timed_greedy(cost, budget)
    costs = cost.rows(np.arange(n_train))
    cell = {"seconds": seconds, "cost": float(costs[rows].min(axis=0).mean())}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "similarity.npy"
        np.save(path, np.ascontiguousarray(1.0 - costs.T))
        answer = run_module(python, "benchmarks.selection.greedy_peers", library, path, budget)
    return cell | {"peer_seconds": answer["seconds"], "peer_cost": float(costs[answer["rows"]].min(axis=0).mean())}


def truth(cells: Cells) -> None:
    """How far from the true optimum small selections end."""

    def compute() -> Figures:
        distances = [distance_to_optimum(seed) for seed in range(BRUTE_FORCE_CASES)]
        return {"median": float(np.median(distances)), "largest": max(distances)}

    cell = cells.figures("brute force", compute)
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


def certify(cells: Cells) -> None:
    """The full proof that no exchange of one row helps, at the smallest size."""

    def compute() -> Figures:
        train, valid = clustered(*SIZES[0][:2])
        norms = seeded_norms(len(train))
        started, used = time.perf_counter(), time.process_time()
        result = balanced_k_medoids(BlockCost(train, valid, norms, GRADIENT_WEIGHT), SIZES[0][2], max_solves=10**6)
        return {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - used,
            "solves": result.n_transport_solves,
            "objective": result.objective,
            "certified": result.certified,
        }

    cell = cells.figures("one-swap certificate", compute)
    print(f"one-swap certificate at {SIZES[0]}: {cell}")
