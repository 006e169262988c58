from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from recommender_cases import items_table, prompts_table, small_base_model
from safetensors.torch import load_file

from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.finetuning.callbacks import last_whole_checkpoint
from coresift.finetuning.loop import CHECKPOINTS, FINISHED
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.storage import fingerprint

OPTIONS = FineTuningOptions(epochs=3, min_steps=1, batch_size=16, learning_rate=5e-3, validation_samples=12)


@pytest.fixture(scope="module")
def base_model(tmp_path_factory):
    return small_base_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def prompts():
    watched = prompts_table(20, seed=1, split=1)
    watched = watched.set_column(0, "sample_id", pa.array(range(48, 68), pa.int32()))
    return pa.concat_tables([prompts_table(48), watched])


def fresh(base_model, **options):
    adapter = AdapterOptions(r=4, targets=["q_proj", "v_proj", "o_proj", "up_proj"], dropout=0.1)
    return build_recommender(
        "dense", base_model=base_model, items=items_table(), adapter=adapter, device="cpu", negatives=16, **options
    )


def coreset_of(ids, weights):
    return pa.table({"sample_id": pa.array(ids, pa.int32()), "weight": pa.array(weights, pa.float32())})


def test_training_learns(base_model, prompts, tmp_path, capfd):
    options = FineTuningOptions(epochs=8, min_steps=1, batch_size=16, learning_rate=1e-2, validation_samples=12)
    recommender = fresh(base_model)
    watched = prompts.slice(48)

    def mean_rank():
        ids = recommender.rank(watched, 27, watched["history"].combine_chunks())[0]
        return (ids == torch.tensor(watched["target_id"].to_pylist())[:, None]).nonzero()[:, 1].float().mean()

    before, untuned = mean_rank(), recommender.item_vectors()
    tuned = fine_tune(recommender, prompts, coreset=None, work_folder=tmp_path, options=options)
    losses = [entry["loss"] for entry in tuned.log]
    assert len(losses) == 24
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    assert mean_rank() < before
    assert not torch.equal(recommender.item_vectors(), untuned)
    assert torch.equal(recommender.item_vectors(), recommender.encode(recommender.item_tokens, description=""))
    assert [entry["step"] for entry in tuned.log if "validation_loss" in entry] == [6, 12, 18, 24]
    assert set(tuned.log[0]) == {"step", "epoch", "loss", "learning_rate"}
    assert "train_runtime" not in capfd.readouterr().out


def test_equal_runs_are_equal_to_the_byte_and_leave_global_generators_alone(base_model, prompts, tmp_path):
    coreset = coreset_of([3, 40, 7, 12, 20, 31], [1, 2, 0.5, 1, 1, 0.5])
    states = random.getstate(), torch.random.get_rng_state()
    runs = [
        fine_tune(fresh(base_model), prompts, coreset=coreset, work_folder=tmp_path / name, options=OPTIONS)
        for name in ("one", "two")
    ]
    assert fingerprint(runs[0].folder) == fingerprint(runs[1].folder)
    assert runs[0].log == runs[1].log
    assert random.getstate() == states[0]
    assert torch.equal(torch.random.get_rng_state(), states[1])


def test_a_killed_run_goes_on_to_the_same_weights(base_model, prompts, tmp_path, monkeypatch):
    options = FineTuningOptions(epochs=3, min_steps=1, batch_size=16, checkpoint_steps=2, validation_samples=0)
    whole = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path / "whole", options=options)
    recommender = fresh(base_model)
    loss, calls = recommender.training_loss, []

    def dies_after_seven_steps(*arguments):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return loss(*arguments)

    monkeypatch.setattr(recommender, "training_loss", dies_after_seven_steps)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(recommender, prompts, coreset=None, work_folder=tmp_path / "killed", options=options)
    (tmp_path / "killed" / "checkpoints" / "checkpoint-7").mkdir()
    resumed = fresh(base_model)
    continued = resumed.training_loss
    monkeypatch.setattr(resumed, "training_loss", lambda *given: calls.append(1) or continued(*given))
    again = fine_tune(resumed, prompts, coreset=None, work_folder=tmp_path / "killed", options=options)
    assert len(calls) == 8 + 3
    assert fingerprint(again.folder) == fingerprint(whole.folder)
    assert again.log == whole.log


def test_finished_work_is_not_done_again(base_model, prompts, tmp_path):
    options = FineTuningOptions(epochs=1, min_steps=1, validation_samples=0)
    first = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path, options=options)
    untouched = fresh(base_model)
    untouched.model = None
    assert fine_tune(untouched, prompts, coreset=None, work_folder=tmp_path, options=options) == first


def test_a_result_that_moved_away_is_made_again_from_the_last_checkpoint(base_model, prompts, tmp_path):
    options = FineTuningOptions(epochs=2, min_steps=1, batch_size=16, validation_samples=8)
    first = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path / "work", options=options)
    moved = first.folder.rename(tmp_path / "moved")
    again = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path / "work", options=options)
    assert fingerprint(again.folder) == fingerprint(moved)
    assert again.log == first.log


@pytest.mark.parametrize("learning_rate", [0.02, 0.1])
def test_a_run_that_stopped_early_is_made_again_as_it_was(base_model, prompts, tmp_path, learning_rate):
    options = FineTuningOptions(
        epochs=20, min_steps=1, batch_size=16, learning_rate=learning_rate, patience=1, checkpoint_steps=2
    )
    first = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path / "work", options=options)
    assert len(first.log) < 60
    moved = first.folder.rename(tmp_path / "moved")
    again = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path / "work", options=options)
    assert fingerprint(again.folder) == fingerprint(moved)
    assert again.log == first.log


def test_two_tunings_at_once_in_one_folder_give_the_same_adapter(base_model, prompts, tmp_path):
    options = FineTuningOptions(epochs=2, min_steps=1, batch_size=16, validation_samples=0, checkpoint_steps=1)
    alone = fingerprint(
        fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path / "alone", options=options).folder
    )
    others, recommender = [], fresh(base_model)
    loss, steps = recommender.training_loss, []

    def beside_another(*given):
        steps.append(1)
        if len(steps) == 3:
            with torch.random.fork_rng():
                tuned = fine_tune(
                    fresh(base_model), prompts, coreset=None, work_folder=tmp_path / "work", options=options
                )
            others.append(fingerprint(tuned.folder))
        return loss(*given)

    recommender.training_loss = beside_another
    tuned = fine_tune(recommender, prompts, coreset=None, work_folder=tmp_path / "work", options=options)
    assert others == [alone]
    assert fingerprint(tuned.folder) == alone
    assert not list((tmp_path / "work" / CHECKPOINTS).glob("beside-*"))


def test_weights_count_by_their_ratio(base_model, prompts, tmp_path):
    options = FineTuningOptions(epochs=3, min_steps=1, batch_size=4, validation_samples=0)
    first = coreset_of([1, 2, 3], [1.5, 1.5, 0.0])
    second = coreset_of([1, 2, 3], [3.0, 3.0, 0.0])
    folders = [
        fine_tune(fresh(base_model), prompts, coreset=given, work_folder=tmp_path / name, options=options).folder
        for name, given in (("a", first), ("b", second), ("c", coreset_of([1, 2, 3], [1.0, 1.0, 1.0])))
    ]
    assert fingerprint(folders[0]) == fingerprint(folders[1])
    assert fingerprint(folders[0]) != fingerprint(folders[2])


def test_accumulated_batches_and_early_stopping_and_merge(base_model, prompts, tmp_path):
    options = FineTuningOptions(
        epochs=30, batch_size=8, gradient_accumulation=2, learning_rate=0.5, patience=1, merge=True
    )
    tuned = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path, options=options)
    watched = [entry["validation_loss"] for entry in tuned.log if "validation_loss" in entry]
    assert len(watched) < 30
    assert (tuned.folder / "merged" / "model.safetensors").is_file()
    assert not list(tuned.folder.rglob("*.bin"))
    loaded = build_recommender(
        "dense", base_model=base_model, items=items_table(), adapter_folder=tuned.folder, device="cpu", negatives=16
    )
    batches = loaded.batches(prompts.slice(48), 64)
    with torch.no_grad():
        loss = torch.cat([loaded.sample_loss(loaded.model.eval(), batch) for batch in batches]).mean()
    assert float(loss) == pytest.approx(min(watched), rel=1e-4)


@pytest.mark.parametrize("patience", [0, 2])
def test_a_checkpoint_that_lost_a_file_is_passed_over(base_model, prompts, tmp_path, patience):
    options = FineTuningOptions(epochs=3, min_steps=1, batch_size=16, checkpoint_steps=2, patience=patience)
    whole = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path, options=options)
    expected, log = fingerprint(whole.folder), whole.log
    shutil.rmtree(tmp_path / FINISHED)
    kept = sorted((tmp_path / CHECKPOINTS).iterdir(), key=lambda path: int(path.name.split("-")[1]))
    (kept[-1] / "optimizer.pt").unlink()
    assert last_whole_checkpoint(tmp_path / CHECKPOINTS) == kept[-2]
    (kept[-1] / "whole.json").write_text("{")
    assert last_whole_checkpoint(tmp_path / CHECKPOINTS) == kept[-2]
    again = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path, options=options)
    assert fingerprint(again.folder) == expected
    assert again.log == log


def test_hidden_states_computed_again_give_the_same_weights(base_model, prompts, tmp_path):
    adapters = [
        load_file(
            fine_tune(
                fresh(base_model),
                prompts,
                coreset=None,
                work_folder=tmp_path / str(again),
                options=FineTuningOptions(epochs=1, min_steps=1, batch_size=16, gradient_checkpointing=again),
            ).folder
            / "adapter_model.safetensors"
        )
        for again in (False, True)
    ]
    for name, weights in adapters[0].items():
        torch.testing.assert_close(weights, adapters[1][name], atol=1e-5, rtol=1e-4)


def test_batches_need_not_be_grouped_by_length(base_model, prompts, tmp_path):
    widths = {}
    for grouped in (True, False):
        recommender = fresh(base_model)
        loss, seen = recommender.training_loss, widths.setdefault(grouped, [])
        recommender.training_loss = lambda *given, seen=seen, loss=loss: (
            seen.append(given[1]["input_ids"]) or loss(*given)
        )
        options = FineTuningOptions(epochs=1, min_steps=1, batch_size=4, length_grouping=grouped, validation_samples=0)
        fine_tune(recommender, prompts, coreset=None, work_folder=tmp_path / str(grouped), options=options)
    padding = {grouped: sum(int((ids == 0).sum()) for ids in batches) for grouped, batches in widths.items()}
    samples = {grouped: sum(len(ids) for ids in batches) for grouped, batches in widths.items()}
    assert samples[True] == samples[False] == 48
    assert padding[True] <= padding[False]


@pytest.mark.parametrize("kind", [{"use_rslora": True}, {"use_dora": True}])
def test_other_kinds_of_lora_train_and_load(base_model, prompts, tmp_path, kind):
    adapter = AdapterOptions(r=2, targets=["q_proj"], **kind)
    built = {"base_model": base_model, "items": items_table(), "device": "cpu", "negatives": 16}
    recommender = build_recommender("dense", adapter=adapter, **built)
    options = FineTuningOptions(epochs=1, min_steps=1, batch_size=16, validation_samples=0)
    tuned = fine_tune(recommender, prompts, coreset=None, work_folder=tmp_path, options=options)
    loaded = build_recommender("dense", adapter_folder=tuned.folder, **built)
    watched = prompts.slice(48)
    torch.testing.assert_close(loaded.prompt_vectors(watched), recommender.prompt_vectors(watched))


def test_clear_errors(base_model, prompts, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="selection pipeline again"):
        fine_tune(fresh(base_model), prompts, coreset=coreset_of([50], [1.0]), work_folder=tmp_path)
    with pytest.raises(ValueError, match="no sample to train on"):
        fine_tune(fresh(base_model), prompts, coreset=coreset_of([], []), work_folder=tmp_path)
    with pytest.raises(ValueError, match="must not be negative"):
        fine_tune(fresh(base_model), prompts, coreset=coreset_of([1, 2], [2.0, -1.0]), work_folder=tmp_path)
    broken = fresh(base_model)
    loss = broken.training_loss
    monkeypatch.setattr(broken, "training_loss", lambda *given: loss(*given) / 0.0)
    with pytest.raises(ValueError, match=r"diverged.*learning_rate"):
        fine_tune(broken, prompts, coreset=None, work_folder=tmp_path, options=OPTIONS)


def test_the_log_is_plain_json(base_model, prompts, tmp_path):
    tuned = fine_tune(fresh(base_model), prompts, coreset=None, work_folder=tmp_path, options=OPTIONS)
    assert json.loads(json.dumps(tuned.log)) == tuned.log
