from __future__ import annotations

import json
import shutil

import pytest

from coresift.foundation import build_base_model, check_base_model


def test_models_and_hub_ids_pass(trained_folder, encoder_folder):
    for model in (str(trained_folder), str(encoder_folder), "some-org/some_model-1.5B"):
        check_base_model(model)


def test_relative_path_beats_hub_id(trained_folder, tmp_path, monkeypatch):
    shutil.copytree(trained_folder, tmp_path / "models" / "mine")
    monkeypatch.chdir(tmp_path)
    check_base_model("models/mine")
    with pytest.raises(ValueError, match="'models/other' does not exist: give a folder"):
        check_base_model("models/other")


@pytest.mark.parametrize("model", ["/no/such/folder", "just-a-name", "a/b/c", "../x", "org/na me"])
def test_missing_path(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^foundation.model: .* does not exist: .* hub id such as org/name$"):
        check_base_model(model)


def test_folder_that_is_no_model(tmp_path):
    with pytest.raises(ValueError, match=r"is not a model: give a folder that holds config.json"):
        check_base_model(str(tmp_path))


def test_pickled_weights_are_refused(encoder_folder, tmp_path):
    folder = shutil.copytree(encoder_folder, tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"only as a pickle \(pytorch_model.bin\), which can run code: convert"):
        check_base_model(str(folder))
    with pytest.raises(ValueError, match="only as a pickle"):
        build_base_model(None, tmp_path / "base", model=str(folder), random_state=0)
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no weights"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "holds no tokenizer"),
        (lambda folder: (folder / "config.json").write_text("{"), "not a JSON object"),
        (lambda folder: (folder / "config.json").write_text(json.dumps({"model_type": "zzz"})), "unknown type 'zzz'"),
    ],
)
def test_broken_folders(encoder_folder, tmp_path, change, message):
    folder = shutil.copytree(encoder_folder, tmp_path / "broken")
    change(folder)
    with pytest.raises(ValueError, match=message):
        check_base_model(str(folder))


def test_unreachable_hub_id_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=r"'no-such-org/no-model' .* could not be fetched .* check its name"):
        build_base_model(None, tmp_path / "base", model="no-such-org/no-model", random_state=0)
