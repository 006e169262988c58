"""Personalized adapters on MovieLens ratings: who clicks, with and without a mixture per user.

    python -m benchmarks.personalization.movielens --ratings path/to/ml-100k           # all cells, five seeds
    python -m benchmarks.personalization.movielens --ratings path/to/ml-100k --quick   # two seeds, few samples
    python -m benchmarks.personalization.movielens --ratings path/to/ml-100k --cold    # users not seen in training

Every rating is a sample: liked (4 or better) or not; each user's ratings are split 8:1:1 by time. For cold users all
ratings are split at one point in time, and only users without a training sample are tested; what their prompts and
states read are their own earlier ratings. DIN is trained on all training samples; a language model, trained on the
titles, is tuned with LoRA on few of them to answer "Likes ...?". All sides take the same number of steps on the same
samples of a seed:

    lora              plain LoRA of rank r
    lora_whole_rank   plain LoRA of rank n_adapters * r
    reclora           n_adapters LoRAs of rank r, mixed by DIN's state of each sample
    uniform           the same, all states missing in training and test
    shuffled          the same, states exchanged among samples
    <side>+din        logistic stacking of the side's logit and DIN's, fitted on validation samples

A cell is one side, selection and seed; it is kept as JSON, and a killed run goes on after it.
Floors: always guessing (AUC .5), the untuned model, DIN, and the shares of liked ratings of the user before and of the
item.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.cells import Cells, Figures, Table, options_of
from benchmarks.finished_run import of_split, weighing_the_same
from benchmarks.shapes import ALPHA, EVERY_LINEAR, N_ADAPTERS, RANK
from coresift.corpus import Source, ingest
from coresift.evaluation import predict_by_rates, predictions_of
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.foundation import build_base_model, load_tokenizer
from coresift.personalization import RecLoraConfig, SampleStates
from coresift.prompting import ClickTemplates, render_prompts
from coresift.ranking import click_metrics
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.selection import CandidatePool, GoracsSelector, RandomSelector
from coresift.storage import TEST, TRAIN, VALID, Tensors, atomic_folder, fingerprint
from coresift.surrogate import Din, load_surrogate, save_surrogate, surrogate_states, surrogate_trainer

TEMPLATES = ClickTemplates(
    prompt="{% set share = (10 * (liked | length) / ((liked + disliked) | length or 1)) | round | int %}"
    "Liked: {{ liked[:2] | join('; ') }}\nDisliked: {{ disliked[:2] | join('; ') }}\n"
    "{{ candidate.title }} {{ candidate.categories | join(' ') }}\n"
    "{{ 'Yes ' * share }}{{ 'No ' * (10 - share) }}\n",
)
"""A model trained on a few titles cannot count: the user's share of liked items is spelled out in answers."""
SIDES = ("lora", "lora_whole_rank", "reclora", "uniform", "shuffled")
PAIRS = {
    "per_user_time": [*((side, "random") for side in SIDES), ("lora", "coreset"), ("reclora", "coreset")],
    "global_time": [(side, "random") for side in ("lora", "reclora", "uniform")],
}
"""Sides and selections that are measured with each split."""


@dataclass
class Size:
    """How much is done: training samples of a cell, steps, pools to select from, tested samples."""

    budget: int = 2048
    steps: int = 192
    candidates: int = 16_000
    validation: int = 1000
    tested: int = 3000


QUICK = Size(budget=256, steps=16, candidates=800, validation=200, tested=300)


class Clicks:
    """Samples, prompts, base model and the states of DIN, all made once."""

    def __init__(self, ratings: Path, size: Size, work: Path, model: str | None, split: str) -> None:
        parts = ("interactions", "items", "users")
        sources = [Source(f"raw_{part}", path=str(ratings), format="movielens", part=part) for part in parts]
        self.corpus = ingest(*sources, samples="click", split=split, max_history=30)
        self.size = size
        self.cold_only = split == "global_time"
        draw = np.random.default_rng(0)
        self.rows = [
            self._some(split, count, draw)
            for split, count in enumerate((size.candidates, size.validation, size.tested))
        ]
        chosen = self.corpus.samples.take(np.sort(np.concatenate(self.rows)))
        name = fingerprint(self.corpus.items, model)
        self.base_model = build_base_model(self.corpus.items, work / f"base-{name}", model=model, random_state=0)
        self.prompts = render_prompts(
            chosen,
            self.corpus.items,
            load_tokenizer(self.base_model),
            templates=TEMPLATES,
            users=self.corpus.users,
            history_length=30,
            max_tokens=128,
            max_response_tokens=4,
        )
        din = self._surrogate(work / f"din-{fingerprint(self.corpus.samples)}")
        self.states = surrogate_states(din, chosen, self.corpus.users)
        self.din_logit = din.logits_of(self.states["state"])

    def _surrogate(self, folder: Path) -> Din:
        """DIN, as the surrogate pipeline trains it on these samples; made once."""
        if not folder.exists():
            corpus = self.corpus
            train = surrogate_trainer("auto", corpus.samples, corpus.users, corpus.items.num_rows)
            trained = train(corpus.interactions, corpus.samples)
            print(f"DIN: {trained.metrics['epochs']}")
            with atomic_folder(folder) as draft:
                save_surrogate(trained.model, draft)
        return load_surrogate(folder)

    def _some(self, split: int, count: int, draw: np.random.Generator) -> NDArray[np.int64]:
        splits, users = (np.asarray(self.corpus.samples[name]) for name in ("split", "user_id"))
        tested = ~np.isin(users, users[splits == TRAIN]) if self.cold_only and split == TEST else True
        rows = np.flatnonzero((splits == split) & tested)
        return draw.choice(rows, min(count, len(rows)), replace=False)

    def part(self, split: int) -> pa.Table:
        """The prompts of one split."""
        return of_split(self.prompts, split)

    def of_part(self, values: torch.Tensor, split: int) -> NDArray[np.float64]:
        """The values of one split's samples, in the order of the prompts."""
        return values[torch.from_numpy(np.asarray(self.prompts["split"]) == split)].double().numpy()

    def coreset(self, selection: str, seed: int) -> pa.Table:
        """``budget`` training samples: drawn at random, or by optimal transport between DIN's states."""
        train = self.part(TRAIN)
        pool = CandidatePool(
            sample_id=np.asarray(train["sample_id"]),
            state=self.of_part(self.states["state"], TRAIN).astype(np.float32),
            validation_state=self.of_part(self.states["state"], VALID).astype(np.float32),
            label=np.asarray(train["label"]),
            validation_label=np.asarray(self.part(VALID)["label"]),
        )
        budget = min(self.size.budget, len(train))
        selector = (
            RandomSelector(budget=budget, random_state=seed)
            if selection == "random"
            else GoracsSelector(
                budget=budget, representation="state", gradient_weight=0.0, by_label=True, random_state=seed
            )
        )
        rows = selector.fit(pool).selected_indices_
        return weighing_the_same(train["sample_id"].take(pa.array(np.sort(rows))))

    def seen_states(self, side: str, seed: int) -> SampleStates | None:
        """What the gates of a side read."""
        if side.startswith("lora"):
            return None
        state = self.states["state"]
        if side == "uniform":
            return SampleStates(Tensors({"sample_id": self.states["sample_id"][:0], "state": state[:0]}))
        order = np.random.default_rng(seed).permutation(len(state)) if side == "shuffled" else np.arange(len(state))
        return SampleStates(Tensors({"sample_id": self.states["sample_id"], "state": state[order]}))


def tuned_logits(clicks: Clicks, side: str, selection: str, seed: int) -> tuple[NDArray, NDArray]:
    """Logits of the validation and of the tested samples after training one side."""
    states = clicks.seen_states(side, seed)
    mixture = RecLoraConfig.for_states(states, n_adapters=N_ADAPTERS) if states else None
    rank = RANK * N_ADAPTERS if side == "lora_whole_rank" else RANK
    recommender = build_recommender(
        "yes_no",
        base_model=clicks.base_model,
        items=clicks.corpus.items,
        adapter=AdapterOptions(r=rank, alpha=ALPHA * rank // RANK, dropout=0.0, targets=EVERY_LINEAR, mixture=mixture),
        states=states,
        random_state=seed,
    )
    options = FineTuningOptions(epochs=1, min_steps=clicks.size.steps, validation_samples=0)
    coreset = clicks.coreset(selection, seed)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"work_folder": Path(folder), "options": options, "random_state": seed}
        fine_tune(recommender, clicks.part(TRAIN), coreset=coreset, **settings)
    validation, tested = (recommender.click_probabilities(clicks.part(split)).double() for split in (VALID, TEST))
    return torch.special.logit(validation, 1e-7).numpy(), torch.special.logit(tested, 1e-7).numpy()


def click_cell(clicks: Clicks, side: str, selection: str, seed: int) -> dict[str, float]:
    """Train one side, and measure it alone and stacked with DIN."""
    started = time.perf_counter()
    validation, tested = tuned_logits(clicks, side, selection, seed)
    label, known = np.asarray(clicks.part(TEST)["label"]), np.asarray(clicks.part(VALID)["label"])
    din_validation, din_tested = (clicks.of_part(clicks.din_logit, split) for split in (VALID, TEST))
    stacking = LogisticRegression().fit(np.stack([validation, din_validation], axis=1), known)
    stacked = stacking.predict_proba(np.stack([tested, din_tested], axis=1))[:, 1]
    measured = {"": click_metrics(_sigmoid(tested), label), "+din ": click_metrics(stacked, label)}
    figures = {f"{prefix}{name}": value for prefix, metrics in measured.items() for name, value in metrics.items()}
    return figures | {"seconds": round(time.perf_counter() - started, 1)}


def floors(clicks: Clicks) -> dict[str, dict[str, float]]:
    """What needs no tuned model: the untuned one, DIN, and the shares of likes of the user before and of the item."""
    label = np.asarray(clicks.part(TEST)["label"])
    samples = clicks.corpus.samples
    wanted = clicks.part(TEST)["sample_id"].combine_chunks()
    tested = samples.filter(pc.is_in(samples["sample_id"], value_set=wanted))
    liked = [
        (sum(r >= 4 for r in ratings) + 1) / (len(ratings) + 2) for ratings in tested["history_ratings"].to_pylist()
    ]
    of_items = predictions_of(predict_by_rates(samples), "item_click_rate")
    of_items = of_items.filter(pc.is_in(of_items["sample_id"], value_set=wanted))
    untuned = build_recommender("yes_no", base_model=clicks.base_model, items=clicks.corpus.items)
    return {
        "untuned": click_metrics(untuned.click_probabilities(clicks.part(TEST)).numpy(), label),
        "din": click_metrics(_sigmoid(clicks.of_part(clicks.din_logit, TEST)), label),
        "user_mean": click_metrics(np.array(liked), label),
        "item_mean": click_metrics(np.asarray(of_items["probability"], dtype=np.float64), label),
    }


def _sigmoid(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logit))


def measure(clicks: Clicks, cells: Cells, tag: str, pairs: list[tuple[str, str]], seeds: int) -> None:
    """Measure every side, print the tables and save them."""
    floor = cells.figures(f"{tag}-floors", partial(floors, clicks))
    for name, metrics in floor.items():
        print(f"{name:28s} AUC {metrics['auc']:.4f}  log loss {metrics['log_loss']:.4f}")
    found: dict[tuple[str, str], list[Figures]] = {pair: [] for pair in pairs}
    for seed in range(seeds):
        for side, selection in pairs:
            name = f"{tag}-{side}-{selection}-{seed}"
            cell = cells.figures(name, partial(click_cell, clicks, side, selection, seed))
            found[side, selection].append(cell)
            print(f"seed {seed} {side:16s} {selection:8s} AUC {cell['auc']:.4f}  stacked {cell['+din auc']:.4f}")
    print()
    report(found)
    cells.save_table({"floors": floor} | {f"{side} {selection}": rows for (side, selection), rows in found.items()})


def report(found: dict[tuple[str, str], list[Figures]]) -> None:
    """Print means over seeds with 95 % intervals (Student), and differences to plain LoRA of the same seeds."""
    table = Table(side=16, samples=8, AUC=18, log_loss=18, stacked_AUC=18, stacked_log_loss=18, over_LoRA_in_AUC=18)
    for (side, selection), rows in found.items():
        base = found["lora", selection]
        differences = [row["auc"] - other["auc"] for row, other in zip(rows, base, strict=True)]
        columns = [[row[name] for row in rows] for name in ("auc", "log_loss", "+din auc", "+din log_loss")]
        table.row(side, selection, *(_interval(values) for values in [*columns, differences]))


def _interval(values: list[float]) -> str:
    from scipy.stats import t

    if len(values) < 2:
        return f"{values[0]:.4f}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.4f} ± {half:.4f}"


def main() -> None:
    """Read the command line and measure."""
    parser = options_of(__doc__, results="personalization", quick="two seeds, few samples and steps")
    parser.add_argument("--ratings", type=Path, required=True, help="folder of MovieLens 100K in its official layout")
    parser.add_argument("--model", help="path of a pretrained base model; the default is trained on the titles")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="split at one point in time, test unseen users only")
    options = parser.parse_args()
    seeds = min(options.seeds, 2) if options.quick else options.seeds
    split = "global_time" if options.cold else "per_user_time"
    size = QUICK if options.quick else Size()
    cells = Cells(options.out, {"model": options.model})
    clicks = Clicks(options.ratings, size, options.out / "work", options.model, split)
    print(f"{split}: {len(clicks.part(TEST))} impressions tested")
    tag = fingerprint(clicks.prompts, clicks.states["state"], vars(size))
    measure(clicks, cells, tag, PAIRS[split], seeds)


if __name__ == "__main__":
    main()
