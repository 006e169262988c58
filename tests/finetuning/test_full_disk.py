"""A disk that fills up while a checkpoint or the result is written: a sentence, and the next call goes on."""

from pathlib import Path

import pytest
import torch
from recommender_cases import items_table, prompts_table, small_base_model

from coresift.finetuning import FineTuned, FineTuningOptions, fine_tune
from coresift.finetuning.callbacks import last_whole_checkpoint
from coresift.finetuning.loop import CHECKPOINTS
from coresift.recommenders import AdapterOptions, Recommender, build_recommender
from coresift.storage import DiskError, fingerprint

OPTIONS = FineTuningOptions(epochs=2, min_steps=1, batch_size=8, checkpoint_steps=2, validation_samples=0)


def tune(base_model: Path, work_folder: Path) -> FineTuned:
    adapter = AdapterOptions(r=4, dropout=0.1)
    recommender = build_recommender("dense", base_model=base_model, items=items_table(), adapter=adapter, device="cpu")
    return fine_tune(recommender, prompts_table(48), coreset=None, work_folder=work_folder, options=OPTIONS)


def test_a_checkpoint_that_does_not_fit_ends_in_a_sentence_and_the_next_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base_model = small_base_model(tmp_path / "base")
    expected = fingerprint(tune(base_model, tmp_path / "roomy").folder)
    save, written = torch.save, []

    def save_until_the_disk_is_full(content: object, file: object, *arguments: object, **options: object) -> None:
        written.append(file)
        if len(written) > 4:
            raise RuntimeError("[enforce fail at inline_container.cc:668] . unexpected pos 704 vs 598")
        save(content, file, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", save_until_the_disk_is_full)
        with pytest.raises(DiskError, match=r"checkpoints' could not be written to .no space left on device"):
            tune(base_model, tmp_path / "full")
    assert last_whole_checkpoint(tmp_path / "full" / CHECKPOINTS) is not None
    assert fingerprint(tune(base_model, tmp_path / "full").folder) == expected


def test_a_result_that_does_not_fit_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base_model = small_base_model(tmp_path / "base")

    def fail(self: Recommender, folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    kind = type(build_recommender("dense", base_model=base_model, items=items_table(), device="cpu"))
    monkeypatch.setattr(kind, "save", fail)
    with pytest.raises(DiskError, match="make room"):
        tune(base_model, tmp_path / "full")
    assert not (tmp_path / "full" / "finished").exists()
