"""Full ranking of a catalogue beside the bare matrix product, and beside two sorts of every row.

    python -m benchmarks.ranking.full_ranking           # 2,000 users x 20,000 items, then 200 users x 1,000,000 items
    python -m benchmarks.ranking.full_ranking --quick   # fewer rounds, the first size only

Every side scores the same float32 vectors on the same number of threads. The floor is the product of all users with all
items, once into fresh memory, as one writes it, and once into memory that is at hand already. ``argsort().argsort()``
over users x items is what the evaluation of BIGRec and DEALRec does. Times are CPU seconds of the process, the best of
several rounds, so that other jobs on the machine count little. A killed run resumes at the next size.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import torch

from benchmarks.cells import Cells, Table, options_of
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


def report(found: dict[str, float]) -> None:
    """Print the seconds of every side, and how many times the product they are."""
    table = Table(side=28, seconds=8, x_product=10, x_into_memory_at_hand=22)
    for side, value in found.items():
        floors = found["product"], found["product into memory at hand"]
        table.row(side, f"{value:.3f}", *(f"{value / floor:.2f}" for floor in floors))


def main() -> None:
    """Measure every size, print the table and save it."""
    parser = options_of(__doc__, results="ranking", quick="three rounds, the first size only")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    use_threads(options.threads)
    rounds = 3 if options.quick else options.rounds
    cells, found = Cells(options.out, {"threads": options.threads, "rounds": rounds}, quick=options.quick), {}
    for name in list(SIZES)[: 1 if options.quick else None]:
        found[name] = cells.figures(name, partial(measure, *SIZES[name], rounds=rounds))
        print(f"{name}: {SIZES[name][0]:,} users x {SIZES[name][1]:,} items, {SIZES[name][2]} dimensions, best {K}")
        report(found[name])
    cells.save_table(found)


if __name__ == "__main__":
    main()
