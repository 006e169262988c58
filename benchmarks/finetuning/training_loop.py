"""Tokens per second of the training loop beside TRL's SFTTrainer, and what is computed on padding.

    python -m benchmarks.finetuning.training_loop --peer trl=PYTHON    # benchmarks/requirements/trl.txt
    python -m benchmarks.finetuning.training_loop --peer trl=PYTHON --quick

Every side tunes the same small Llama (random weights, float32) with the same LoRA on the same token lists, batch and
threads for one epoch, loss on the response only; TRL once with its defaults, and once grouping by length. Lengths of
the prompts are lognormal, with the median and spread of Amazon Games. Tokens are real ones, without padding; times are
CPU seconds from the call that trains to its return, so our side includes writing its adapter. Cells are repeated in
turn and the fastest counts; a killed run resumes at the next cell.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.cells import Cells, Figures, Table, options_of
from benchmarks.peers import add_peers, run_module

SIDES = ("coresift", "trl", "trl grouped by length")
WORDS, RESPONSE, LEARNING_RATE, RANK = 8000, 12, 1e-3, 8


def make_model(folder: Path, *, quick: bool) -> None:
    """Write the base model and a tokenizer of one word per token."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {"<pad>": 0, "<eos>": 1, "<unk>": 2} | {f"w{word}": word for word in range(3, WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    torch.manual_seed(0)
    width = 128 if quick else 256
    shape = {"hidden_size": width, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 3 * width}
    LlamaForCausalLM(LlamaConfig(**shape, vocab_size=WORDS, eos_token_id=1, pad_token_id=0)).save_pretrained(folder)
    fast.save_pretrained(folder)


def make_tokens(count: int) -> tuple[list[list[int]], list[int]]:
    """Token lists of prompt and response, and the lengths of the prompts."""
    import numpy as np

    generator = np.random.default_rng(0)
    lengths = np.clip(generator.lognormal(3.5, 0.6, count), 8, 116).astype(int)
    lists = [[*generator.integers(3, WORDS, length + RESPONSE - 1).tolist(), 1] for length in lengths]
    return lists, lengths.tolist()


def run_coresift(model: Path, lists: list[list[int]], lengths: list[int], batch: int) -> dict[str, float]:
    """Tune with the project's loop and its title recommender."""
    import pyarrow as pa

    from coresift.finetuning import FineTuningOptions, fine_tune
    from coresift.recommenders import AdapterOptions, build_recommender

    count = len(lists)
    titles = [" ".join(f"w{token}" for token in tokens[-RESPONSE:-1]) for tokens in lists]
    items = pa.table({"item_id": pa.array(range(count), pa.int32()), "title": titles, "text": titles})
    columns = {
        "sample_id": pa.array(range(count), pa.int32()),
        "target_id": pa.array(range(count), pa.int32()),
        "label": pa.array([1] * count, pa.int8()),
        "prompt": [""] * count,
        "response": titles,
        "input_ids": pa.array(lists, pa.list_(pa.int32())),
        "prompt_length": pa.array(lengths, pa.int32()),
        "split": pa.array([0] * count, pa.int8()),
    }
    adapter = AdapterOptions(r=RANK, alpha=2 * RANK, dropout=0.0, targets=["q_proj", "v_proj"])
    recommender = build_recommender("title_generation", base_model=model, items=items, adapter=adapter, device="cpu")
    loss, cells = recommender.training_loss, []
    recommender.training_loss = lambda *given: cells.append(given[1]["input_ids"].numel()) or loss(*given)
    options = FineTuningOptions(
        epochs=1,
        min_steps=1,
        batch_size=batch,
        learning_rate=LEARNING_RATE,
        validation_samples=0,
        checkpoint_steps=10**6,
    )
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        fine_tune(recommender, pa.table(columns), coreset=None, work_folder=Path(folder), options=options)
        return {"seconds": time.process_time() - started, "cells": sum(cells)}


def run_trl(
    model: Path, lists: list[list[int]], lengths: list[int], batch: int, *, grouped: bool
) -> dict[str, float | str]:
    """Tune with TRL's SFTTrainer."""
    import trl
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    labels = [[-100] * length + tokens[length:] for tokens, length in zip(lists, lengths, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "output_dir": folder,
            "per_device_train_batch_size": batch,
            "num_train_epochs": 1,
            "learning_rate": LEARNING_RATE,
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": True,
            "bf16": False,
            "gradient_checkpointing": False,
            "packing": False,
            "max_length": None,
            "completion_only_loss": True,
            "dataset_kwargs": {"skip_prepare_dataset": True},
            "train_sampling_strategy": "group_by_length" if grouped else "random",
        }
        trainer = trl.SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(model, dtype="float32"),
            args=trl.SFTConfig(**settings),
            train_dataset=Dataset.from_dict({"input_ids": lists, "labels": labels}),
            processing_class=AutoTokenizer.from_pretrained(model),
            peft_config=LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=["q_proj", "v_proj"]),
        )
        loss, cells = trainer.compute_loss, []
        trainer.compute_loss = lambda *given, **named: (
            cells.append(given[1]["input_ids"].numel()) or loss(*given, **named)
        )
        started = time.process_time()
        trainer.train()
        return {"seconds": time.process_time() - started, "cells": sum(cells), "version": trl.__version__}


def model_folder(options: argparse.Namespace) -> Path:
    """Where the base model of all sides lies."""
    return options.out / f"model{'-quick' if options.quick else ''}"


def run_side(side: str, options: argparse.Namespace) -> dict[str, float | str]:
    """One cell, in this process."""
    import torch

    torch.set_num_threads(options.threads)
    lists, lengths = make_tokens(128 if options.quick else 1024)
    if side == "coresift":
        found: dict[str, float | str] = run_coresift(model_folder(options), lists, lengths, options.batch)
    else:
        found = run_trl(model_folder(options), lists, lengths, options.batch, grouped=side != "trl")
    return found | {"tokens": sum(map(len, lists))}


def run_apart(side: str, options: argparse.Namespace) -> Figures:
    """One cell, in a process of its own."""
    python = sys.executable if side == "coresift" else dict(options.peers)["trl"]
    settings = ["--side", side, "--out", options.out, "--threads", options.threads, "--batch", options.batch]
    quick = ["--quick"] if options.quick else []
    return run_module(python, "benchmarks.finetuning.training_loop", *settings, *quick)


def report(best: dict[str, Figures], options: argparse.Namespace) -> None:
    """Print the fastest round of every side."""
    ours = best["coresift"]
    print(f"{ours['tokens']:,} tokens, batch {options.batch}, {options.threads} thread(s), float32")
    table = Table(side=24, tokens_a_second=16, cells_per_token=16, coresift_is_so_many_times_as_fast=34)
    for side, found in best.items():
        rate, waste = found["tokens"] / found["seconds"], found["cells"] / found["tokens"]
        table.row(side, f"{rate:.0f}", f"{waste:.3f}", f"{found['seconds'] / ours['seconds']:.2f}")


def main() -> None:
    """Measure every cell, print the table and save it."""
    parser = options_of(__doc__, results="finetuning", quick="one round on a smaller model and fewer samples")
    add_peers(parser, ["trl"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(run_side(options.side, options)))
        return
    cells = Cells(options.out, {"threads": options.threads, "batch": options.batch}, quick=options.quick)
    if not model_folder(options).exists():
        make_model(model_folder(options), quick=options.quick)
    runs: dict[str, list[Figures]] = {side: [] for side in (SIDES if options.peers else SIDES[:1])}
    for repeat in range(1 if options.quick else options.repeats):
        for side, rounds in runs.items():
            rounds.append(cells.figures(f"{side}-{repeat}", partial(run_apart, side, options)))
    best = {side: min(rounds, key=lambda found: found["seconds"]) for side, rounds in runs.items()}
    report(best, options)
    cells.save_table(best)


if __name__ == "__main__":
    main()
