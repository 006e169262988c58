"""Training of the dense recommender: the project's default settings beside a plain loop with fixed settings.

    kedro run --env games --params raw_dir=...,foundation.model=path/to/all-MiniLM-L6-v2   # makes samples and prompts
    python -m benchmarks.recommenders.dense_training --data data           # three seeds a side
    python -m benchmarks.recommenders.dense_training --data data --quick   # one seed, few steps and users

Both sides tune on the same 1,024 random training samples of a seed and rank the full catalogue for the same test users,
their history masked. A killed run resumes at the next cell. The plain loop shares no code with the project but the
measuring: LoRA r=8 on query and value, learning rate 5e-4, 4 epochs, batch 64, temperature .05, in-batch and 128 random
negatives, the last 8 items newest first, 96 tokens, mean pooling.
"""

from __future__ import annotations

import math
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from benchmarks.cells import Arrays, Cells, Table, difference, is_no_worse, options_of
from benchmarks.finished_run import drawn_users, newest, newest_table, of_split, versions, weighing_the_same
from benchmarks.recommenders.dense_quality import METRICS, N_SAMPLES
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.foundation import base_model_location
from coresift.ranking import bootstrap_mean, paired_bootstrap, ranking_metrics, top_items
from coresift.recommenders import AdapterOptions, build_recommender, with_histories
from coresift.storage import TRAIN


class Corpus:
    """The newest samples, prompts, items and base model of a finished run."""

    def __init__(self, data: Path, n_users: int) -> None:
        self.items = newest_table(data, "intermediate/items.parquet")
        self.samples = newest_table(data, "primary/samples.parquet")
        self.prompts = newest_table(data, "primary/prompts.parquet")
        self.base_model = newest(data, "primary/base_model")
        self.train = of_split(self.samples, TRAIN)
        self.test = drawn_users(self.samples, n_users)

    def draw(self, seed: int) -> pa.Table:
        """The training samples of one seed."""
        rows = np.random.default_rng(seed).choice(len(self.train), N_SAMPLES, replace=False)
        return self.train.take(np.sort(rows))


def project(corpus: Corpus, seed: int, steps: int) -> Tensor:
    """Top items (U, 50) of the prompts alone, as the plain recipe ranks, after training with the default settings."""
    built: dict[str, object] = {"base_model": corpus.base_model, "items": corpus.items, "history_share": 0.0}
    recommender = build_recommender("dense", adapter=AdapterOptions(), random_state=seed, **built)
    coreset = weighing_the_same(corpus.draw(seed)["sample_id"])
    options = FineTuningOptions(validation_samples=0, **({"epochs": 1, "min_steps": steps} if steps else {}))
    prompts = with_histories(corpus.prompts, corpus.samples)
    with tempfile.TemporaryDirectory() as folder:
        fine_tune(recommender, prompts, coreset=coreset, work_folder=Path(folder), options=options, random_state=seed)
    tested = corpus.prompts.filter(pc.is_in(corpus.prompts["sample_id"], corpus.test["sample_id"]))
    return recommender.rank(tested, 50, corpus.test["history"].combine_chunks())[0]


class PlainRecipe:
    """The fixed settings, written out with torch, transformers and peft only."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        location = base_model_location(corpus.base_model)
        self.tokenizer = AutoTokenizer.from_pretrained(location)
        torch.manual_seed(seed)
        config = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules=["query", "value"])
        self.model = get_peft_model(AutoModel.from_pretrained(location), config)
        self.generator = np.random.default_rng([seed, 1])
        self.titles = corpus.items["title"].to_pylist()
        self.item_ids = self.tokenize(self.titles)

    def tokenize(self, texts: list[str]) -> list[Tensor]:
        """Token ids of every text, 96 at most."""
        return [torch.tensor(ids) for ids in self.tokenizer(texts, truncation=True, max_length=96)["input_ids"]]

    def queries(self, samples: pa.Table) -> list[Tensor]:
        """Token ids of the last 8 titles of every history, newest first."""
        histories = samples["history"].to_pylist()
        return self.tokenize(["; ".join(self.titles[item] for item in history[::-1][:8]) for history in histories])

    def embed(self, rows: list[Tensor]) -> Tensor:
        """Unit vectors (B, d): the mean of the token vectors."""
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state * mask.unsqueeze(-1)
        return F.normalize(states.sum(1) / mask.sum(1, keepdim=True), dim=-1)

    def train(self, samples: pa.Table, max_steps: int) -> None:
        """Sampled softmax over 4 epochs of batches of 64."""
        texts, targets = self.queries(samples), [group[0] for group in samples["targets"].to_pylist()]
        known = samples["history"].to_pylist()
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=5e-4, weight_decay=0.0)
        total = 4 * math.ceil(len(texts) / 64)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / total)
        self.model.train()
        batches = [order[start : start + 64] for order in self.orders(len(texts)) for start in range(0, len(order), 64)]
        for rows in batches[: max_steps or total]:
            loss = self.loss([texts[row] for row in rows], [targets[row] for row in rows], [known[row] for row in rows])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()

    def orders(self, n_rows: int) -> list[np.ndarray]:
        """The order of the samples in each epoch."""
        return [self.generator.permutation(n_rows) for _ in range(4)]

    def loss(self, texts: list[Tensor], targets: list[int], known: list[list[int]]) -> Tensor:
        """Softmax against in-batch targets and 128 random items; no item of a sample's history is a negative."""
        drawn = self.generator.integers(len(self.titles), size=128).tolist()
        candidates = list(dict.fromkeys(targets + drawn))
        column = {item: place for place, item in enumerate(candidates)}
        logits = self.embed(texts) @ self.embed([self.item_ids[item] for item in candidates]).T / 0.05
        for row, (target, history) in enumerate(zip(targets, known, strict=True)):
            logits[row, [column[item] for item in set(history) - {target} if item in column]] = -1e9
        return F.cross_entropy(logits, torch.tensor([column[target] for target in targets]))

    @torch.no_grad()
    def encode(self, rows: list[Tensor]) -> Tensor:
        """Unit vectors (N, d) without dropout, longest texts first."""
        self.model.eval()
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
        parts = [self.embed([rows[row] for row in order[start : start + 128]]) for start in range(0, len(order), 128)]
        return torch.cat(parts)[torch.tensor(order).argsort()]


def recipe(corpus: Corpus, seed: int, steps: int) -> Tensor:
    """Top items (U, 50) after the plain loop."""
    plain = PlainRecipe(corpus, seed)
    plain.train(corpus.draw(seed), steps)
    seen = corpus.test["history"].combine_chunks()
    return top_items(plain.encode(plain.queries(corpus.test)), plain.encode(plain.item_ids), 50, seen=seen)[0]


SIDES = {"project": project, "recipe": recipe}


def measure(corpus: Corpus, side: str, seed: int, steps: int) -> Arrays:
    """Every user's metrics after one side's training."""
    started = time.perf_counter()
    top = SIDES[side](corpus, seed, steps)
    metrics = ranking_metrics(top.numpy(), [set(items) for items in corpus.test["targets"].to_pylist()])
    print(f"{side}, seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)
    return {name: metrics[name] for name in METRICS}


def report(runs: dict[str, list[Arrays]]) -> dict[str, dict[str, object]]:
    """Print and return what both sides reach, averaged over the seeds, and their paired difference."""
    table, found = Table(metric=10, project=8, recipe=8, difference=30, verdict=26), {}
    for name in METRICS:
        ours, theirs = (np.mean([cell[name] for cell in runs[side]], axis=0) for side in SIDES)
        gap = paired_bootstrap(ours, theirs)
        no_worse = is_no_worse(gap, theirs.mean())
        found[name] = {
            "project": bootstrap_mean(ours),
            "recipe": bootstrap_mean(theirs),
            "difference": [gap.mean_difference, gap.low, gap.high],
            "no_worse": no_worse,
        }
        verdict = "no worse" if no_worse else "not shown to be no worse"
        table.row(name, f"{ours.mean():.4f}", f"{theirs.mean():.4f}", difference(gap), verdict)
    return found


def main() -> None:
    """Measure every cell, print the table and save it."""
    parser = options_of(__doc__, results="dense_training", quick="one seed, 4 steps, 200 users")
    parser.add_argument("--data", type=Path, default=Path("data"), help="data folder of a finished run")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    corpus, cells = Corpus(options.data, 200 if options.quick else 0), Cells(options.out, versions(options.data))
    seeds, steps = (1, 4) if options.quick else (options.seeds, 0)
    runs = {
        side: [
            cells.arrays(f"{side}-{seed}-{len(corpus.test)}-{steps}", partial(measure, corpus, side, seed, steps))
            for seed in range(seeds)
        ]
        for side in SIDES
    }
    Cells(options.out, quick=options.quick).save_table(report(runs))


if __name__ == "__main__":
    main()
