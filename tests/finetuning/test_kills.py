"""SIGKILL at random moments of training: the work goes on to the same weights, and no file is left in pieces."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from recommender_cases import items_table, prompts_table, small_base_model
from safetensors.torch import load_file

from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.finetuning.callbacks import last_whole_checkpoint
from coresift.finetuning.loop import CHECKPOINTS
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.storage import fingerprint

OPTIONS = FineTuningOptions(epochs=5, min_steps=1, batch_size=8, checkpoint_steps=2, validation_samples=0)
N_STEPS, KILLS = 30, 3


def train(base_model: Path, work_folder: Path, steps=None) -> str:
    """Tune an adapter, counting the steps where somebody watches, and return the fingerprint of the result."""
    torch.set_num_threads(1)
    adapter = AdapterOptions(r=4, dropout=0.1)
    recommender = build_recommender("dense", base_model=base_model, items=items_table(), adapter=adapter, device="cpu")
    if steps is not None:
        loss = recommender.training_loss

        def counted(*arguments):
            steps.value += 1
            return loss(*arguments)

        recommender.training_loss = counted
    tuned = fine_tune(recommender, prompts_table(48), coreset=None, work_folder=work_folder, options=OPTIONS)
    return fingerprint(tuned.folder)


def kill_at(process, steps, *, step: int, delay: float) -> None:
    """Wait until a process has begun so many steps, and a little longer, and kill it."""
    deadline = time.monotonic() + 300
    while steps.value < step and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(delay)
    assert process.is_alive(), "the process ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.join()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_training_that_is_killed_three_times_ends_with_the_same_weights(tmp_path):
    base_model = small_base_model(tmp_path / "base")
    expected = train(base_model, tmp_path / "whole")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["coresift.finetuning"])
    draw = random.Random(7)
    for _ in range(KILLS):
        steps = context.Value("i", 0)
        process = context.Process(target=train, args=(base_model, tmp_path / "killed", steps))
        process.start()
        kill_at(process, steps, step=draw.randint(3, N_STEPS // KILLS - 2), delay=draw.uniform(0, 0.03))
        checkpoint = last_whole_checkpoint(tmp_path / "killed" / CHECKPOINTS)
        assert checkpoint is not None
        assert load_file(checkpoint / "adapter_model.safetensors")
        torch.load(checkpoint / "optimizer.pt", weights_only=True)
        assert not (tmp_path / "killed" / "finished").exists()
    assert train(base_model, tmp_path / "killed") == expected
