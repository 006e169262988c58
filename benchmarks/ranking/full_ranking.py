"""Full ranking of a catalogue beside the bare matrix product, and beside two sorts of every row.

    python -m benchmarks.ranking.full_ranking           # 2,000 users x 20,000 items, then 200 users x 1,000,000 items
    python -m benchmarks.ranking.full_ranking --quick   # fewer rounds, the first size only

Every side scores the same float32 vectors on the same number of threads. The floor is the product of all users with all
items, once into fresh memory, as one writes it, and once into memory that is at hand already. ``argsort().argsort()``
over users x items is what the evaluation of BIGRec and DEALRec does. Times are CPU seconds of the process, the best of
several rounds, so that other jobs on the machine count little. A killed run resumes at the next size.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from coresift.compute import use_threads
from coresift.ranking import top_items

SIZES = {
    "shop": (2000, 20_000, 64),
    "vectors of a language model": (2000, 20_000, 384),
    "million": (200, 1_000_000, 64),
}
K, SEEN = 20, 10


def seconds(function: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the fastest round."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        function()
        times.append(time.process_time() - started)
    return min(times)


def measure(n_users: int, n_items: int, width: int, rounds: int) -> dict[str, float]:
    """Seconds of every side on one size."""
    generator = torch.Generator().manual_seed(0)
    queries, items = (torch.randn(count, width, generator=generator) for count in (n_users, n_items))
    drawn = np.random.default_rng(0).integers(n_items, size=(n_users, SEEN))
    seen = pa.array(np.sort(drawn, axis=1).tolist(), pa.list_(pa.int32()))
    scores = torch.empty(n_users, n_items)
    found = {
        "product": seconds(lambda: queries @ items.T, rounds),
        "product into memory at hand": seconds(lambda: torch.mm(queries, items.T, out=scores), rounds),
        "ranking": seconds(lambda: top_items(queries, items, K), rounds),
        "ranking, history masked": seconds(lambda: top_items(queries, items, K, seen=seen), rounds),
        "product and topk": seconds(lambda: (queries @ items.T).topk(K, dim=1), rounds),
    }
    lists, _ = top_items(queries, items, K)
    agreed = (lists == scores.topk(K, dim=1).indices).float().mean()
    assert agreed > 0.9999, f"only {agreed:.4%} of the listed items agree with a full sort"
    if n_items < 100_000:
        found["argsort twice"] = seconds(lambda: scores.argsort(1, descending=True).argsort(1), 1)
    return found


def main() -> None:
    """Measure every size, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ranking"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    use_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in list(SIZES)[: 1 if options.quick else None]:
        file = options.out / f"{name.replace(' ', '_')}{'-quick' if options.quick else ''}.json"
        if not file.exists():
            found = measure(*SIZES[name], rounds=3 if options.quick else options.rounds)
            file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        found = json.loads(file.read_text(encoding="utf-8"))
        print(f"{name}: {SIZES[name][0]:,} users x {SIZES[name][1]:,} items, {SIZES[name][2]} dimensions, best {K}")
        for side, value in found.items():
            ratio, strict = value / found["product"], value / found["product into memory at hand"]
            print(f"  {side:28} {value:8.3f} s   {ratio:6.2f} x product   {strict:6.2f} x into memory at hand")


if __name__ == "__main__":
    main()
