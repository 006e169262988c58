"""Quality of the dense recommender on 1,024 samples, bare and with the recent-popularity prior, step by step.

    kedro run --env games --params raw_dir=...,foundation.model=path/to/all-MiniLM-L6-v2   # makes samples and prompts
    python -m benchmarks.recommenders.dense_quality --data data           # five seeds of `default`, one of the others
    python -m benchmarks.recommenders.dense_quality --data data --steps untuned default --seeds 2
    python -m benchmarks.recommenders.dense_quality --data data --quick   # one seed, 4 training steps, 200 users

Each step of the ladder is one set of settings. A cell is a step and a seed: it tunes on the random training samples of
that seed, or on those that a selector chose once for all seeds, embeds the validation and test prompts and the
catalogue, and keeps the vectors, so that priors are chosen and measured in seconds. A killed run resumes at the next
cell, and within a cell at the last checkpoint. Whatever is chosen is chosen on validation users; test users are only
measured. Full catalogue, history masked.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.cells import Cells, options_of
from benchmarks.finished_run import drawn_users, newest, newest_table, of_split, versions, weighing_the_same
from coresift.compute import use_threads
from coresift.evaluation import PopularityPrior, PriorTuning, prior_tuning
from coresift.evaluation.popularity_prior import ScoreBlock
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.parameters import DenseParameters
from coresift.personalization import RecLoraConfig, SampleStates
from coresift.ranking import bootstrap_mean, ranking_metrics, remove_seen_targets, top_items_from
from coresift.recommenders import AdapterOptions, DenseRecommender, build_recommender, with_histories
from coresift.recommenders.dense.history_vectors import with_history_vectors
from coresift.recommenders.tokens import RaggedIntegers
from coresift.selection import assemble_pool, choose
from coresift.storage import (
    TRAIN,
    VALID,
    atomic_file,
    atomic_folder,
    fingerprint,
    read_tensors,
    rows_of_items,
    write_tensors,
)

N_SAMPLES = 1024
METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
FEATURES = {
    "sample_embeddings": "feature/sample_embeddings",
    "gradient_norms": "feature/gradient_norms",
    "surrogate_states": "surrogate/surrogate_states",
}
NO_PRIOR = PopularityPrior(weight=0.0)
MIXTURE = DenseParameters()
Values = dict[str, np.ndarray]
Figures = dict[str, object]


@dataclass(frozen=True)
class Step:
    """One step of the ladder: what is trained, on what, and how.

    `selection` names a method and its options; `active_lately` draws among the users that the validation split knows.
    """

    tuned: bool = True
    active_lately: bool = False
    selection: tuple[str, dict[str, object]] | None = None
    personalized: bool = False
    training: dict[str, object] = field(default_factory=dict)
    adapter: dict[str, object] = field(default_factory=dict)
    recommender: dict[str, object] = field(default_factory=dict)


LADDER = {
    "untuned": Step(tuned=False),
    "slow": Step(training={"learning_rate": 5e-4, "batch_size": 64, "epochs": 4, "min_steps": 1}),
    "default": Step(),
    "every_layer": Step(adapter={"targets": ["query", "key", "value", "dense"]}, training={"learning_rate": 1e-3}),
    "longer": Step(training={"min_steps": 256}),
    "sharper": Step(recommender={"temperature": 0.03}),
    "more_negatives": Step(recommender={"negatives": 512}),
    "active_lately": Step(active_lately=True),
    "goracs": Step(selection=("goracs", {})),
    "goracs_distances": Step(selection=("goracs", {"gradient_weight": 0.0})),
    "goracs_distances_longer": Step(selection=("goracs", {"gradient_weight": 0.0}), training={"min_steps": 256}),
    "goracs_states": Step(selection=("goracs", {"gradient_weight": 0.0, "representation": "state"})),
    "personalized": Step(personalized=True),
    "lora_whole_rank": Step(adapter={"r": 32, "alpha": 64}),
}
MEASURED_IN_FULL = "default"


class Corpus:
    """What a finished run left: samples, prompts, items, interactions, surrogate."""

    def __init__(self, data: Path, *, n_test: int, n_tuning: int) -> None:
        self.items = newest_table(data, "intermediate/items.parquet")
        self.samples = newest_table(data, "primary/samples.parquet")
        self.base_model = newest(data, "primary/base_model")
        self.prompts = with_histories(newest_table(data, "primary/prompts.parquet"), self.samples)
        interactions = newest_table(data, "intermediate/interactions.parquet")
        self.train = of_split(self.samples, TRAIN)
        self.data = data
        self.test = drawn_users(self.samples, n_test)
        self.tuning: PriorTuning = prior_tuning(self.samples, interactions, len(self.items), n_users=n_tuning)
        self.surrogate_items = rows_of_items(
            load_file(newest(data, "surrogate/item_vectors.safetensors")), dataset="item_vectors"
        )
        states = read_tensors(newest(data, "surrogate/surrogate_states.safetensors"))
        self.sample_states = SampleStates(states)
        place = {sample: row for row, sample in enumerate(states["sample_id"].tolist())}
        self.state = lambda users: states["state"][[place[sample] for sample in users["sample_id"].to_pylist()]]

    def coreset(self, step: Step, seed: int, work: Path) -> pa.Table:
        """The training samples of a seed, weighing the same, or what the step's selector chose."""
        if step.selection:
            return self.chosen(step.selection, work)
        drawn_from = self.train
        if step.active_lately:
            lately = of_split(self.samples, VALID)["user_id"].combine_chunks()
            drawn_from = self.train.filter(pc.is_in(self.train["user_id"], value_set=lately))
        rows = np.sort(np.random.default_rng(seed).choice(len(drawn_from), N_SAMPLES, replace=False))
        return weighing_the_same(drawn_from.take(rows)["sample_id"])

    def chosen(self, selection: tuple[str, dict[str, object]], work: Path) -> pa.Table:
        """A selector's coreset, made once."""
        file = work / f"coreset-{fingerprint(selection)}.parquet"
        if not file.exists():
            features = {name: read_tensors(newest(self.data, f"{room}.safetensors")) for name, room in FEATURES.items()}
            scores = newest_table(self.data, "surrogate/sample_scores.parquet")
            pool = assemble_pool(self.samples, self.prompts, features, scores)
            made = choose(pool, selection[0], budget=N_SAMPLES, random_state=0, **selection[1])
            with atomic_file(file) as draft:
                pq.write_table(made.table, draft)
        return pq.read_table(file)

    def prompts_of(self, users: pa.Table) -> pa.Table:
        """The prompts of some samples, in their order."""
        return self.prompts.take(pc.index_in(users["sample_id"], value_set=self.prompts["sample_id"].combine_chunks()))

    def surrogate(self, users: pa.Table) -> ScoreBlock:
        """The surrogate's logits of some samples."""
        states = self.state(users)
        return lambda block: states[block] @ self.surrogate_items.T


def tuned(corpus: Corpus, step: Step, seed: int, folder: Path, options: argparse.Namespace) -> DenseRecommender:
    """The recommender of one cell, trained."""
    built = {"base_model": corpus.base_model, "items": corpus.items, "dtype": options.dtype, "random_state": seed}
    built |= step.recommender
    mixture = None
    if step.personalized:
        built["states"] = corpus.sample_states
        mixture = RecLoraConfig.for_states(corpus.sample_states)
    if not step.tuned:
        return build_recommender("dense", **built)
    recommender = build_recommender("dense", adapter=AdapterOptions(**step.adapter, mixture=mixture), **built)
    quick = {"epochs": 1, "min_steps": 1, "batch_size": N_SAMPLES // 4} if options.quick else {}
    settings = {"validation_samples": 0, "checkpoint_steps": 16, **step.training, **quick}
    finished = fine_tune(
        recommender,
        corpus.prompts,
        coreset=corpus.coreset(step, seed, options.out),
        work_folder=folder,
        options=FineTuningOptions(**settings),
        random_state=seed,
    )
    return build_recommender("dense", adapter_folder=finished.folder, **built)


def vectors(corpus: Corpus, name: str, seed: int, options: argparse.Namespace) -> dict[str, Tensor]:
    """Vectors of one cell, unit length: ``tuning`` and ``test`` prompts, and ``item``; kept beside its adapter."""
    folder = options.out / f"{name}-{seed}{'-quick' if options.quick else ''}"
    made = folder / "vectors"
    if not made.is_dir():
        started = time.perf_counter()
        folder.mkdir(parents=True, exist_ok=True)
        recommender = tuned(corpus, LADDER[name], seed, folder, options)
        trained = time.perf_counter()
        found = {"item": recommender.item_vectors()}
        for key, users in (("tuning", corpus.tuning.samples), ("test", corpus.test)):
            found[key] = recommender.prompt_vectors(corpus.prompts_of(users))
        with atomic_folder(made) as draft:
            write_tensors(draft / "vectors.safetensors", {key: value.half() for key, value in found.items()})
        print(f"{name}, seed {seed}: trained in {trained - started:.0f} s, embedded in "
              f"{time.perf_counter() - trained:.0f} s", flush=True)  # fmt: skip
    return {key: value.float() for key, value in load_file(made / "vectors.safetensors").items()}


def measured(users: pa.Table, logits: ScoreBlock) -> Values:
    """Metrics of every user (U,), history masked."""
    lists, _ = top_items_from(logits, len(users), 20, seen=users["history"])
    targets, _ = remove_seen_targets(users["targets"], users["history"])
    metrics = ranking_metrics(lists, targets, (10, 20))
    return {name: metrics[name] for name in METRICS}


def cell(corpus: Corpus, name: str, seed: int, options: argparse.Namespace) -> dict[str, Figures]:
    """One cell: prompts alone, with histories mixed in (bare), with the prior, and with the surrogate as well."""
    found = vectors(corpus, name, seed, options)
    temperature = float(LADDER[name].recommender.get("temperature", 0.05))
    users = {"tuning": corpus.tuning.samples, "test": corpus.test}
    alone = {key: scored(found[key], found["item"], temperature) for key in users}
    queries = {key: mixed(found[key], chosen, found["item"]) for key, chosen in users.items()}
    logits = {key: scored(queries[key], found["item"], temperature) for key in users}
    surrogates = {key: corpus.surrogate(chosen) for key, chosen in users.items()}
    return {"prompt alone": figures(corpus, NO_PRIOR, alone, None)} | with_priors(corpus, logits, surrogates)


def mixed(queries: Tensor, users: pa.Table, items: Tensor) -> Tensor:
    """Prompts' vectors with those of the histories, as the recommender mixes them by default."""
    histories = RaggedIntegers.from_arrow(users["history"], padding=-1)
    return with_history_vectors(queries, histories, items, share=MIXTURE.history_share, decay=MIXTURE.history_decay)


def with_priors(
    corpus: Corpus, logits: dict[str, ScoreBlock], surrogates: dict[str, ScoreBlock] | None
) -> dict[str, Figures]:
    """Choose the priors on the validation users, and measure the test users under each."""
    priors = {"bare": NO_PRIOR, "prior": corpus.tuning.choose(logits["tuning"])}
    if surrogates is not None:
        priors["prior+surrogate"] = corpus.tuning.choose(logits["tuning"], surrogates["tuning"])
    return {kind: figures(corpus, prior, logits, surrogates) for kind, prior in priors.items()}


def figures(
    corpus: Corpus, prior: PopularityPrior, logits: dict[str, ScoreBlock], surrogates: dict[str, ScoreBlock] | None
) -> Figures:
    """Validation figure and test metrics under one prior."""
    return {
        "chosen": asdict(prior),
        "validation": corpus.tuning.value(prior, logits["tuning"], surrogates and surrogates["tuning"]),
        "test": measured(corpus.test, under(prior, corpus, logits["test"], surrogates and surrogates["test"])),
    }


def under(prior: PopularityPrior, corpus: Corpus, logits: ScoreBlock, surrogate: ScoreBlock | None) -> ScoreBlock:
    """Test logits with a prior's terms."""
    return lambda block: prior.add_to(logits(block), corpus.tuning.counts, surrogate and surrogate(block))


def scored(queries: Tensor, items: Tensor, temperature: float) -> ScoreBlock:
    """Cosines divided by the temperature."""
    return lambda block: queries[block] @ items.T / temperature


def show(name: str, runs: list[dict[str, Figures]]) -> dict[str, Figures]:
    """Print and return the means over seeds with intervals over users."""
    table: dict[str, Figures] = {}
    for kind in runs[0]:
        per_user = {metric: np.mean([run[kind]["test"][metric] for run in runs], axis=0) for metric in METRICS}
        by_seed = [float(np.nanmean(run[kind]["test"]["recall@10"])) for run in runs]
        table[kind] = {metric: bootstrap_mean(values) for metric, values in per_user.items()}
        table[kind] |= {"validation": float(np.mean([run[kind]["validation"] for run in runs]))}
        table[kind] |= {"chosen": [run[kind]["chosen"] for run in runs], "seeds": len(runs), "by_seed": by_seed}
        cells = "  ".join(f"{mean:.4f} ({low:.4f}-{high:.4f})" for mean, low, high in map(table[kind].get, METRICS))
        print(f"{name:14} {kind:16} {len(runs)} seeds  validation {table[kind]['validation']:.4f}  test {cells}")
    return table


def main() -> None:
    """Measure every cell, print the table and save it."""
    parser = options_of(__doc__, results="dense_quality", quick="one seed, 4 training steps, 200 users")
    parser.add_argument("--data", type=Path, default=Path("data"), help="data folder of a finished run")
    parser.add_argument("--steps", nargs="*", choices=LADDER, help="steps to measure; all by default")
    parser.add_argument("--seeds", type=int, default=5, help=f"of {MEASURED_IN_FULL}, or of all steps named")
    parser.add_argument("--tuning-users", type=int, default=4000, help="validation users that priors are chosen on")
    parser.add_argument("--dtype", default="bfloat16", help="precision of the model's products")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    options = parser.parse_args()
    use_threads(options.threads)
    n_test, n_tuning = (200, 200) if options.quick else (0, options.tuning_users)
    shared = versions(options.data) | {"dtype": options.dtype, "tuning users": str(n_tuning)}
    cells = Cells(options.out, shared, quick=options.quick)
    corpus = Corpus(options.data, n_test=n_test, n_tuning=n_tuning)
    print("validation: ndcg@20; test: " + ", ".join(METRICS))
    surrogate = {"tuning": corpus.surrogate(corpus.tuning.samples), "test": corpus.surrogate(corpus.test)}
    table = {"surrogate": show("surrogate", [with_priors(corpus, surrogate, None)])}
    for name in options.steps or LADDER:
        full = options.steps or name == MEASURED_IN_FULL
        count = 1 if options.quick or not LADDER[name].tuned or not full else options.seeds
        table[name] = show(name, [cell(corpus, name, seed, options) for seed in range(count)])
    cells.save_table(table)


if __name__ == "__main__":
    main()
