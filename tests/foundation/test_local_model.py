from __future__ import annotations

import json
import os
import shutil
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2Model

from coresift.foundation import (
    base_model_fingerprint,
    base_model_location,
    build_base_model,
    is_causal,
    load_body,
    load_tokenizer,
)
from coresift.storage import fingerprint


@pytest.fixture()
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_local_encoder_is_referred_to_and_not_copied(encoder_folder, tmp_path, no_network):
    base = build_base_model(None, tmp_path / "base", model=str(encoder_folder), random_state=0)
    assert [file.name for file in base.iterdir()] == ["source.json"]
    source = json.loads((base / "source.json").read_text())
    assert source == {"path": str(encoder_folder), "revision": None, "fingerprint": fingerprint(encoder_folder)}
    assert base_model_location(base) == str(encoder_folder)
    body = load_body(base)
    weights = load_file(encoder_folder / "model.safetensors")
    assert torch.equal(body.embeddings.word_embeddings.weight, weights["embeddings.word_embeddings.weight"])
    assert not is_causal(base)
    assert load_tokenizer(base).sep_token == "[SEP]"


def test_path_is_kept_absolute(encoder_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(encoder_folder.parent)
    base = build_base_model(None, tmp_path / "base", model=f"./{encoder_folder.name}", random_state=0)
    monkeypatch.chdir(tmp_path)
    assert base_model_location(base) == os.path.realpath(encoder_folder)
    load_tokenizer(base)


def test_model_that_moved_away_is_named(encoder_folder, tmp_path):
    original = shutil.copytree(encoder_folder, tmp_path / "original")
    base = build_base_model(None, tmp_path / "base", model=str(original), random_state=0)
    shutil.rmtree(original)
    for load in (load_body, load_tokenizer, is_causal):
        with pytest.raises(ValueError, match=f"model '{original}' does not exist"):
            load(base)


def test_another_model_replaces_the_reference(encoder_folder, trained_folder, tmp_path):
    for model in (encoder_folder, trained_folder):
        base = build_base_model(None, tmp_path / "base", model=str(model), random_state=0)
        assert base_model_location(base) == str(model)


def test_decoder_without_padding_token_gets_one(trained_folder, tmp_path):
    shutil.copytree(trained_folder, tmp_path / "gpt", ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    settings = json.loads((tmp_path / "gpt" / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    (tmp_path / "gpt" / "tokenizer_config.json").write_text(json.dumps(settings))
    GPT2Model(GPT2Config(vocab_size=600, n_embd=32, n_layer=1, n_head=2)).save_pretrained(tmp_path / "gpt")
    assert is_causal(tmp_path / "gpt")
    tokenizer = load_tokenizer(tmp_path / "gpt")
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 2


def test_weights_that_are_missing_are_drawn_alike(encoder_folder, tmp_path):
    """The pooler is not part of many encoders; what stands in for it must not differ from run to run."""
    from safetensors.torch import save_file

    folder = shutil.copytree(encoder_folder, tmp_path / "headless")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "pooler" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    torch.manual_seed(1)
    first = load_body(folder).state_dict()
    torch.manual_seed(2)
    second = load_body(folder).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_weights_that_changed_in_place_are_another_model_and_the_log_says_so(encoder_folder, tmp_path, caplog):
    model = shutil.copytree(encoder_folder, tmp_path / "model")
    base = build_base_model(None, tmp_path / "base", model=str(model), random_state=0)
    before = base_model_fingerprint(base)
    assert base_model_fingerprint(base) == before
    assert "has changed" not in caplog.text
    weights = {name: tensor + 1 for name, tensor in load_file(model / "model.safetensors").items()}
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    assert base_model_fingerprint(base) != before
    assert "has changed since the foundation pipeline ran" in caplog.text
