r"""The surrogate beside the SASRec of RecBole, RecTools and RePlay: time of an epoch, and quality of the best one.

    python -m benchmarks.surrogate.libraries --raw FOLDER --quick       # few users and epochs, under 5 minutes without peers
    python -m benchmarks.surrogate.libraries --raw FOLDER --peer recbole=/venvs/recbole/bin/python \
        --peer rectools=/venvs/rectools/bin/python --peer replay=/venvs/replay/bin/python

FOLDER holds interactions.parquet and items.parquet with splits given (the Games corpus). A peer runs in an
environment of its own:

    python -m venv /venvs/recbole && /venvs/recbole/bin/pip install torch==2.13.0 recbole==1.2.1 "numpy<2" "pandas<3"
    python -m venv /venvs/rectools && /venvs/rectools/bin/pip install torch==2.13.0 "rectools[torch]==0.19.0"
    python -m venv /venvs/replay && /venvs/replay/bin/pip install torch==2.13.0 "replay-rec[torch]==0.22.0"

Every side trains on the same training interactions with one thread, 64 dimensions, 2 blocks, 2 heads and the newest
--max-length items, otherwise with its own defaults (but for RecBole's batches, see its side), and stops on validation
NDCG@10 (all validation users) when five epochs have not bettered it, or after --epochs. Ours runs with titles, its
default, and without, as peers do. All hand over top lists for the test users, full catalogue, history masked, which
are judged here. Times are processor time of training alone. A killed run resumes at the next cell; cells of the same
name in --out are reused.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coresift.foundation import text_vectors
from coresift.ranking import bootstrap_mean, paired_bootstrap, ranking_metrics

SPLITS = ("train", "valid", "test")
METRICS = ("recall@10", "ndcg@10")
LOSSES = {
    "coresift": ("sampled", "titles", "full"),
    "recbole": ("full",),
    "rectools": ("full", "sampled"),
    "replay": ("full", "sampled"),
}
"""Losses each side offers: over the whole catalogue, over sampled items; ours also with titles in item vectors."""
ALLOWED = {"recbole": 1 / 3, "rectools": 1.0, "replay": 1.0}
"""Largest accepted ratio of our epoch to the fastest of each peer."""


def make_task(raw: Path, out: Path, quick: bool) -> Path:
    """Write training sequences, and histories and targets of validation and test users, as flat arrays."""
    path = out / ("task-quick.npz" if quick else "task.npz")
    if path.exists():
        return path
    table = pq.read_table(raw / "interactions.parquet", columns=["user_id", "item_id", "position", "split"])
    table = table.sort_by([("user_id", "ascending"), ("position", "ascending")])
    if quick:
        table = table.filter(pc.less(table["user_id"], 1000))
    columns = {name: np.asarray(table[name]) for name in ("user_id", "item_id")}
    split = np.asarray(pc.index_in(table["split"].cast(pa.string()), pa.array(SPLITS)))
    n_users = int(columns["user_id"].max()) + 1
    by_split = [
        np.split(columns["item_id"][split == part], np.cumsum(counts)[:-1])
        for part in range(3)
        for counts in [np.bincount(columns["user_id"][split == part], minlength=n_users)]
    ]
    train, valid, test = by_split
    lists = {
        "train": [items for items in train if len(items)],
        "valid": [train[user] for user in range(n_users) if len(valid[user])],
        "valid_targets": [items for items in valid if len(items)],
        "test": [np.concatenate([train[user], valid[user]]) for user in range(n_users) if len(test[user])],
        "test_targets": [items for items in test if len(items)],
    }
    items = pq.read_table(raw / "items.parquet")
    titles = items["title_clean" if "title_clean" in items.column_names else "title"].to_pylist()
    arrays = {"n_items": np.array(len(titles)), "text": text_vectors(titles)}
    for name, values in lists.items():
        arrays[name] = np.concatenate(values).astype(np.int64)
        arrays[f"{name}_lengths"] = np.array([len(items) for items in values])
    np.savez(path, **arrays)
    return path


class Sides:
    """Runs one side in its own process and keeps what it wrote."""

    def __init__(
        self, peers: dict[str, str], task: Path, out: Path, max_length: int, epochs: int, skip: list[str]
    ) -> None:
        self.pythons = {"coresift": sys.executable} | peers
        self.task = task
        self.out = out
        self.max_length = max_length
        self.epochs = epochs
        self.skip = skip

    def losses(self, side: str) -> list[str]:
        """The losses of a side that are measured."""
        return [loss for loss in LOSSES[side] if f"{side}/{loss}" not in self.skip]

    def path(self, side: str, loss: str, kind: str) -> Path:
        """Where a cell lies; its top lists lie beside it."""
        return self.out / f"{self.task.stem}-{self.max_length}-{kind}-{side}-{loss}.json"

    def cell(self, side: str, loss: str, *options: str, kind: str) -> dict:
        """Return a finished cell, or measure it; the error of a side that fails is its result."""
        path = self.path(side, loss, kind)
        if not path.exists():
            command = [
                self.pythons[side],
                "-m",
                f"benchmarks.surrogate.sides.{side}",
                str(self.task),
                str(path),
                "--loss",
                loss,
            ]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore"}
            command += [*options, "--max-length", str(self.max_length)]
            done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode or not path.exists():
                print(f"{side} {loss} failed: {(done.stderr.strip().splitlines() or ['it was ended'])[-1]}")
                return {"seconds": [], "valid": []}
        return json.loads(path.read_text())

    def user_metrics(self, side: str, loss: str, seeds: int) -> dict[str, np.ndarray] | None:
        """Return every test user's metrics, averaged over seeds."""
        arrays = dict(np.load(self.task))
        targets = np.split(arrays["test_targets"], np.cumsum(arrays["test_targets_lengths"])[:-1])
        runs = []
        for seed in range(seeds):
            kind, limits = f"quality{seed}", ("--seed", str(seed), "--epochs", str(self.epochs))
            if not self.cell(side, loss, *limits, kind=kind)["valid"]:
                return None
            lists = np.load(self.path(side, loss, kind).with_suffix(".npy"))
            runs.append(ranking_metrics(lists, [items.tolist() for items in targets], ks=(10, 20)))
        return {name: np.mean([run[name] for run in runs], axis=0) for name in METRICS}


def report_times(sides: Sides) -> None:
    """Print the processor time of an epoch, and our ratio to each peer's fastest loss."""
    print(f"\n{'side':<12}{'loss':<10}{'seconds an epoch':>18}")
    fastest: dict[str, float] = {}
    for side in sides.pythons:
        for loss in sides.losses(side):
            seconds = sides.cell(side, loss, "--epochs", "2", "--time-only", kind="time")["seconds"]
            if seconds:
                fastest[side] = min(fastest.get(side, np.inf), *seconds)
                print(f"{side:<12}{loss:<10}{min(seconds):>18.1f}")
    for peer, seconds in fastest.items():
        if peer != "coresift":
            ratio = fastest["coresift"] / seconds
            print(f"ours / {peer}: {ratio:.2f} ({'within' if ratio <= ALLOWED[peer] else 'above'} {ALLOWED[peer]:.2f})")


def report_quality(sides: Sides, seeds: int) -> None:
    """Print recall and NDCG of every side, and whether ours is no worse than the best peer's."""
    found = {
        (side, loss): sides.user_metrics(side, loss, seeds) for side in sides.pythons for loss in sides.losses(side)
    }
    found = {key: metrics for key, metrics in found.items() if metrics}
    print(f"\n{'side':<12}{'loss':<10}" + "".join(f"{name:>28}" for name in METRICS))
    for (side, loss), metrics in found.items():
        cells = [bootstrap_mean(metrics[name]) for name in METRICS]
        print(f"{side:<12}{loss:<10}" + "".join(f"   {mean:.4f} ({low:.4f} - {high:.4f})" for mean, low, high in cells))
    compare_with_best(found)


def compare_with_best(found: dict[tuple[str, str], dict[str, np.ndarray]]) -> None:
    """Print whether our rows are no worse than the best peer's: the interval stays above minus a tenth of its value."""
    peers = [row for row in found if row[0] != "coresift"]
    for row, name in product(found, METRICS if peers else ()):
        best = max(peers, key=lambda peer, name=name: found[peer][name].mean())
        theirs = found[best][name]
        if row[0] == "coresift":
            gap = paired_bootstrap(found[row][name], theirs)
            verdict = "no worse" if gap.low > -0.1 * theirs.mean() else "not shown to be no worse"
            interval = f"{gap.mean_difference:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"
            print(f"{name}: {' '.join(row)} - {' '.join(best)} = {interval}: {verdict}")


def main() -> None:
    """Measure every cell that is missing and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help="folder of interactions.parquet and items.parquet")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="a peer and its interpreter")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/surrogate"), help="where cells go")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-length", type=int, default=50, help="newest items of a user that every side reads")
    parser.add_argument("--epochs", type=int, default=100, help="most epochs where quality is measured")
    parser.add_argument("--skip", action="append", default=[], metavar="SIDE/LOSS", help="a row to leave out")
    parser.add_argument("--only", choices=["time", "quality"], help="one of the two tables")
    parser.add_argument("--quick", action="store_true", help="1,000 users, one seed, two epochs")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    task = make_task(options.raw, options.out, options.quick)
    peers = dict(peer.split("=", 1) for peer in options.peer)
    epochs = 2 if options.quick else options.epochs
    sides = Sides(peers, task, options.out, options.max_length, epochs, options.skip)
    if options.only != "quality":
        report_times(sides)
    if options.only != "time":
        report_quality(sides, 1 if options.quick else options.seeds)


if __name__ == "__main__":
    main()
