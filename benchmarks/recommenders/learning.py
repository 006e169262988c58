"""Does every recommender learn? Each one beside its untuned self and the most popular items, on the embedded corpus.

    python -m benchmarks.recommenders.learning            # three seeds; resumes at the next cell after a kill
    python -m benchmarks.recommenders.learning --quick    # the tiny corpus, one seed, few steps
    python -m benchmarks.recommenders.learning --only dense,semantic_id

Ranking recommenders rank the full catalogue for every test user, history masked; yes_no predicts the test impressions.
"Clearly beats" means that the lower end of the paired 95 % bootstrap interval of the difference, each side averaged
over the seeds, is above 0. For log loss the sign is turned, so that more is better everywhere.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from benchmarks.cells import Arrays, Cells, Table, difference, options_of, rows_of, with_interval
from benchmarks.finished_run import drawn_users, newest, newest_table, of_split, run_once, weighing_the_same
from benchmarks.shapes import EVERY_LINEAR
from coresift.evaluation import most_popular, predict_by_rates, predictions_of
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.ranking import bootstrap_mean, click_log_losses, click_metrics, paired_bootstrap, ranking_metrics
from coresift.recommenders import AdapterOptions, Recommender, build_recommender, with_histories
from coresift.storage import TRAIN, fingerprint

K = 50
EXACT_USERS = 200
"""Test users whose titles' exact likelihoods are measured, drawn at random."""
DECODING = ("decoding", "beams")
"""Options that no training depends on: rows that differ in these alone share their adapters."""


@dataclass(frozen=True)
class Case:
    """One row of the table: a recommender, its options, how it is trained; 0 samples or users are all of them."""

    recommender: str
    options: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    adapter: dict[str, Any] = field(default_factory=dict)
    n_samples: int = 2048
    users: int = 0


RANKING = {"recommender.name": "semantic_id", "ingestion.samples": "all_prefixes"}
CLICKS = {"recommender.name": "yes_no", "ingestion.samples": "click", "ingestion.negatives": 1}
"""Beside every liked item one that the user never met: a quality that no title tells is not all there is to know."""
WRITING = {"batch_size": 32, "epochs": 4, "learning_rate": 2e-3}
WRITTEN: dict[str, Any] = {
    "training": WRITING | {"epochs": 2},
    "adapter": {"r": 64, "alpha": 64, "targets": EVERY_LINEAR},
    "n_samples": 0,
}
CASES = {
    "dense": Case("dense"),
    "title_grounding": Case("title_generation", {"decoding": "grounding"}, **WRITTEN),
    "title_trie": Case("title_generation", {"decoding": "trie", "beams": 20}, **WRITTEN),
    "title_likelihood": Case("title_generation", {"decoding": "likelihood"}, users=EXACT_USERS, **WRITTEN),
    "semantic_id": Case("semantic_id", {}, WRITING | {"epochs": 3}, n_samples=0),
    "yes_no": Case("yes_no", **WRITTEN | {"training": WRITING | {"epochs": 1, "learning_rate": 1e-3}}),
}


@dataclass(frozen=True)
class Bench:
    """Where cells and adapters are kept, and whether everything is made small."""

    out: Path
    quick: bool


class Corpus:
    """Samples, prompts, items and base model of a run that is made once.

    Args:
        folder: Where the run goes.
        environment: Kedro environment.
        parameters: Parameters of the run by name.
    """

    def __init__(self, folder: Path, environment: str, parameters: dict[str, Any]) -> None:
        run_once(folder, environment, "ingestion,foundation,prompting", parameters)
        self.items = newest_table(folder, "intermediate/items.parquet")
        self.interactions = newest_table(folder, "intermediate/interactions.parquet")
        self.samples = newest_table(folder, "primary/samples.parquet")
        self.prompts = with_histories(newest_table(folder, "primary/prompts.parquet"), self.samples)
        self.semantic_ids = newest_table(folder, "primary/semantic_ids.parquet")
        self.base_model = newest(folder, "primary/base_model")

    def tested(self, n_users: int) -> tuple[pa.Table, pa.Table]:
        """Test samples and their prompts, at most ``n_users`` of them drawn at random; 0 takes all."""
        test = drawn_users(self.samples, n_users)
        return test, self.prompts.filter(pc.is_in(self.prompts["sample_id"], test["sample_id"]))

    def drawn(self, count: int, seed: int) -> pa.Table:
        """A random coreset of ``count`` training samples with equal weights; 0 takes all."""
        train = of_split(self.samples, TRAIN)["sample_id"].to_numpy()
        ids = np.sort(np.random.default_rng(seed).permutation(train)[: count or len(train)])
        return weighing_the_same(pa.array(ids, pa.int32()))


def measure(bench: Bench, corpus: Corpus, case: Case, seed: int, untuned: np.ndarray | None) -> dict[str, Any]:
    """Per-user (or per-impression) figures of the tuned, the untuned and the most popular side."""
    test, prompts = corpus.tested(40 if bench.quick else case.users)
    shared: dict[str, Any] = {"base_model": corpus.base_model, "items": corpus.items, "random_state": seed}
    shared |= {"semantic_ids": corpus.semantic_ids, **case.options}
    if untuned is None:
        untuned = figures(build_recommender(case.recommender, **shared), test, prompts)
    adapter, training = trained(bench, corpus, case, seed, shared)
    started = time.perf_counter()
    tuned = figures(build_recommender(case.recommender, adapter_folder=adapter, **shared), test, prompts)
    seconds = {"training": training, "ranking": time.perf_counter() - started}
    return {"tuned": tuned, "untuned": untuned, "popular": popular(corpus, case, test), **seconds}


def trained(bench: Bench, corpus: Corpus, case: Case, seed: int, shared: dict[str, Any]) -> tuple[Path, float]:
    """Folder of a tuned adapter and the seconds that training took; made once for all rows that train it."""
    of_training = {name: value for name, value in case.options.items() if name not in DECODING}
    described = (case.recommender, of_training, case.training, case.adapter, case.n_samples, seed, bench.quick)
    folder = bench.out / f"adapter-{fingerprint(described)}"
    took = folder / "seconds.json"
    training = {"min_steps": 1, "validation_samples": 0} | ({} if case.training else {"min_steps": 128})
    training |= case.training | ({"epochs": 2} if bench.quick else {})
    started = time.perf_counter()
    finished = fine_tune(
        build_recommender(case.recommender, adapter=AdapterOptions(**case.adapter), **shared),
        corpus.prompts,
        coreset=corpus.drawn(64 if bench.quick and case.n_samples else case.n_samples, seed),
        work_folder=folder,
        options=FineTuningOptions(**training),
        random_state=seed,
    )
    if not took.exists():
        took.write_text(json.dumps(time.perf_counter() - started), encoding="utf-8")
    return finished.folder, json.loads(took.read_text(encoding="utf-8"))


def figures(recommender: Recommender, test: pa.Table, prompts: pa.Table) -> np.ndarray:
    """Recall@10 and ndcg@10 of every user (U, 2), or minus log loss and probability of every impression (N, 2)."""
    if recommender.predicts_clicks:
        return of_clicks(recommender.click_probabilities(prompts).numpy(), test)
    ids, _ = recommender.rank(prompts, K, test["history"].combine_chunks())
    return of_lists(ids, test)


def popular(corpus: Corpus, case: Case, test: pa.Table) -> np.ndarray:
    """The same figures of the most popular items, or of the share of clicks that an item had before."""
    if case.recommender == "yes_no":
        rates = predictions_of(predict_by_rates(corpus.samples), "item_click_rate")
        rates = rates.filter(pc.is_in(rates["sample_id"], test["sample_id"]))
        return of_clicks(rates["probability"].to_numpy(), test)
    seen = test["history"].combine_chunks()
    return of_lists(most_popular(corpus.interactions, len(corpus.items), len(test), K, seen=seen)[0], test)


def of_lists(ids: torch.Tensor, test: pa.Table) -> np.ndarray:
    """Recall@10 and ndcg@10 of every user (U, 2)."""
    metrics = ranking_metrics(ids.numpy(), test["targets"].combine_chunks())
    return np.stack([metrics["recall@10"], metrics["ndcg@10"]], axis=1)


def of_clicks(probability: np.ndarray, test: pa.Table) -> np.ndarray:
    """Minus the log loss, and the probability, of every impression (N, 2)."""
    return np.stack([-click_log_losses(probability.astype(float), test["label"].to_numpy()), probability], axis=1)


def measured(bench: Bench, cells: Cells, name: str, corpus: Corpus, seeds: int) -> list[Arrays]:
    """One row's measurements; the untuned side is the first seed's."""
    runs: list[Arrays] = []
    for seed in range(seeds):
        untuned = runs[0]["untuned"] if runs else None
        runs.append(cells.arrays(f"{name}-{seed}", partial(measure, bench, corpus, CASES[name], seed, untuned)))
    return runs


def report(table: Table, name: str, runs: list[Arrays], labels: np.ndarray | None) -> dict[str, Any]:
    """Print and return one row of the table."""
    mean = {side: np.mean([run[side] for run in runs], axis=0) for side in ("tuned", "untuned", "popular")}
    first = {side: values[:, 0] for side, values in mean.items()}
    against = {side: paired_bootstrap(first["tuned"], first[side]) for side in ("untuned", "popular")}
    row = {side: bootstrap_mean(values) for side, values in first.items()}
    row |= {f"over_{side}": [found.mean_difference, found.low, found.high] for side, found in against.items()}
    row |= {f"seconds_{what}": float(np.mean([run[what] for run in runs])) for what in ("training", "ranking")}
    if labels is not None:
        row["auc"] = {
            side: float(np.mean([click_metrics(run[side][:, 1], labels)["auc"] for run in runs])) for side in mean
        }
    gaps = [f"{difference(found)}{'' if found.low > 0 else ' not above'}" for found in against.values()]
    seconds = [f"{row[f'seconds_{what}']:.0f}" for what in ("training", "ranking")]
    table.row(name, with_interval(row["tuned"]), *gaps, *seconds, f"{row['auc']['tuned']:.3f}" if "auc" in row else "")
    return row


def main() -> None:
    """Measure every cell, print the table and save it."""
    parser = options_of(__doc__, results="recommenders", quick="the tiny corpus, one seed, few steps")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=",".join(CASES), help="rows of the table, separated by commas")
    options = parser.parse_args()
    bench, cells = Bench(options.out.resolve(), options.quick), Cells(options.out, quick=options.quick)
    environment, seeds = ("test", 1) if options.quick else ("base", options.seeds)
    corpora: dict[bool, Corpus] = {}
    table, found = Table(row=24, tuned=26, over_untuned=40, over_popular=40, training_s=10, ranking_s=9, AUC=6), {}
    for name in rows_of(parser, options.only.split(","), CASES):
        clicks = CASES[name].recommender == "yes_no"
        if clicks not in corpora:
            parameters = CLICKS if clicks else RANKING
            folder = bench.out / f"corpus-{environment}-{parameters['recommender.name']}"
            corpora[clicks] = Corpus(folder, environment, parameters)
        runs = measured(bench, cells, name, corpora[clicks], seeds)
        tested = corpora[clicks].tested(40 if options.quick else CASES[name].users)[0]
        found[name] = report(table, name, runs, tested["label"].to_numpy() if clicks else None)
    cells.save_table(found)


if __name__ == "__main__":
    main()
