"""Which coreset trains the best recommender: every selection method on the embedded shop, tuned and ranked alike.

    python -m benchmarks.selection.coreset_quality              # three seeds; a killed run resumes at the next cell
    python -m benchmarks.selection.coreset_quality --quick      # the tiny shop, one seed, few steps
    python -m benchmarks.selection.coreset_quality --only "random;goracs;dealrec" --seeds 5

Budget 256; a cell is a method and a seed. The seed draws what a method draws, starts the adapter and shuffles training;
features, base model, steps and tested users are the same in all cells. Methods that draw nothing differ between seeds
in training alone. Each method is held against random selection: paired over users, both averaged over the seeds.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from benchmarks.cells import Arrays, Cells, Table, difference, options_of, rows_of, with_interval
from benchmarks.finished_run import newest, newest_table, of_split, run_once
from coresift.compute import use_threads
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.ranking import bootstrap_mean, paired_bootstrap, ranking_metrics
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.selection import SELECTORS, assemble_pool, choose
from coresift.storage import TEST, read_tensors

K = 50
STAGES = "ingestion,foundation,prompting,surrogate,attribution"
FEATURES = ("sample_embeddings", "gradient_features", "gradient_norms", "influence_scores")
CASES: dict[str, tuple[str, dict[str, Any]]] = {method: (method, {}) for method in SELECTORS} | {
    "goracs, alignment": ("goracs", {"gradient_term": "alignment"}),
    "goracs, half states": ("goracs", {"state_weight": 0.5}),
    "goracs, gradient space": ("goracs", {"representation": "gradient_feature"}),
    "goracs, no gradients": ("goracs", {"gradient_weight": 0.0}),
    "goracs, state clusters": ("goracs", {"state_clusters": 8}),
}
"""Row of the table: its method and the options that differ from the defaults."""


class Shop:
    """What the stages before selection left, made once."""

    def __init__(self, folder: Path, environment: str) -> None:
        run_once(folder, environment, STAGES, {"attribution.gradient_features.enabled": "true"})
        self.items = newest_table(folder, "intermediate/items.parquet")
        self.samples = newest_table(folder, "primary/samples.parquet")
        self.prompts = newest_table(folder, "primary/prompts.parquet")
        self.base_model = newest(folder, "primary/base_model")
        tensors = {name: read_tensors(newest(folder, f"feature/{name}.safetensors")) for name in FEATURES}
        tensors["surrogate_states"] = read_tensors(newest(folder, "surrogate/surrogate_states.safetensors"))
        scores = newest_table(folder, "surrogate/sample_scores.parquet")
        self.pool = assemble_pool(self.samples, self.prompts, tensors, scores)
        self.test = of_split(self.samples, TEST)
        self.questions = self.prompts.filter(pc.is_in(self.prompts["sample_id"], self.test["sample_id"]))


def measure(shop: Shop, case: str, seed: int, *, quick: bool) -> dict[str, Any]:
    """Select, tune, rank: recall@10 and ndcg@10 of every test user (U, 2), and the seconds of each."""
    method, options = CASES[case]
    times = [time.perf_counter()]
    coreset = choose(shop.pool, method, budget=16 if quick else 256, random_state=seed, **options).table
    times.append(time.perf_counter())
    recommender = build_recommender(
        "dense", base_model=shop.base_model, items=shop.items, adapter=AdapterOptions(), random_state=seed
    )
    training = FineTuningOptions(validation_samples=0, **({"epochs": 1, "min_steps": 1} if quick else {}))
    with tempfile.TemporaryDirectory() as folder:
        fine_tune(
            recommender, shop.prompts, coreset=coreset, work_folder=Path(folder), options=training, random_state=seed
        )
    times.append(time.perf_counter())
    ids, _ = recommender.rank(shop.questions, K, shop.test["history"].combine_chunks())
    metrics = ranking_metrics(ids.numpy(), shop.test["targets"].combine_chunks())
    users = np.stack([metrics["recall@10"], metrics["ndcg@10"]], axis=1)
    return {"users": users, "selecting": times[1] - times[0], "training": times[2] - times[1]}


def report(table: Table, case: str, runs: list[Arrays], random: list[Arrays]) -> dict[str, Any]:
    """Print and return one row of the table."""
    users, base = (np.mean([run["users"] for run in side], axis=0) for side in (runs, random))
    recall, ndcg = bootstrap_mean(users[:, 0]), bootstrap_mean(users[:, 1])
    gap = paired_bootstrap(users[:, 0], base[:, 0])
    selecting = float(np.mean([run["selecting"] for run in runs]))
    table.row(case, with_interval(recall), f"{ndcg[0]:.4f}", difference(gap), f"{selecting:.1f}")
    by_seed = [float(run["users"][:, 0].mean()) for run in runs]
    figures = {"recall@10": recall, "ndcg@10": ndcg, "over_random": [gap.mean_difference, gap.low, gap.high]}
    return figures | {"by_seed": by_seed, "selecting": selecting}


def main() -> None:
    """Measure every cell, print the table and save it."""
    parser = options_of(__doc__, results="coreset_quality", quick="the tiny shop, one seed, few steps")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=";".join(CASES), help="rows of the table, separated by semicolons")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    options = parser.parse_args()
    use_threads(options.threads)
    cases = rows_of(parser, options.only.split(";"), CASES)
    cells = Cells(options.out, quick=options.quick)
    environment, seeds = ("test", 1) if options.quick else ("base", options.seeds)
    shop = Shop(options.out.resolve() / f"shop-{environment}", environment)

    def measured(case: str) -> list[Arrays]:
        ways = [partial(measure, shop, case, seed, quick=options.quick) for seed in range(seeds)]
        return [cells.arrays(f"{case}-{seed}", way) for seed, way in enumerate(ways)]

    table = Table(method=24, recall_at_10=26, ndcg_at_10=10, recall_over_random=30, selecting_s=12)
    random = measured("random")
    cells.save_table({case: report(table, case, measured(case), random) for case in cases})


if __name__ == "__main__":
    main()
