from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_catalogue import SMALL
from transformers import AutoModelForCausalLM, AutoTokenizer

from coresift.foundation import SmallModelOptions, build_base_model, is_causal, load_body, load_tokenizer
from coresift.foundation.catalogue_text import CatalogueText
from coresift.foundation.perplexity import model_perplexity, unigram_perplexity
from coresift.storage import fingerprint

TRAIN_AGAIN = """
import sys; from pathlib import Path; import torch; torch.set_num_threads(1)
sys.path.insert(0, sys.argv[2]); from toy_catalogue import SMALL, toy_items
from coresift.foundation import build_base_model; from coresift.storage import fingerprint
print(fingerprint(build_base_model(toy_items(), Path(sys.argv[1]), model=None, random_state=0, small_model=SMALL)))
"""


def test_folder_is_an_ordinary_model_directory(trained_folder):
    names = {file.name for file in trained_folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]
    model = AutoModelForCausalLM.from_pretrained(trained_folder)
    tokenizer = AutoTokenizer.from_pretrained(trained_folder)
    assert model.config.architectures == ["LlamaForCausalLM"]
    special = (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id)
    assert special == (0, 1, 2, 3) == tuple(range(4))
    assert (model.config.pad_token_id, model.config.bos_token_id, model.config.eos_token_id) == special[:3]


def test_unseen_titles_are_predicted_better_than_by_frequencies(trained_folder, items):
    summary = json.loads((trained_folder / "training_summary.json").read_text())
    training, held_out = CatalogueText.from_items(items).split(SMALL.held_out_share, 0)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(trained_folder), load_tokenizer(trained_folder)
    perplexity = model_perplexity(model, tokenizer, held_out)
    assert summary["held_out_titles"] == len(held_out) == 6
    assert summary["perplexity"] == pytest.approx(perplexity, abs=1e-2)
    assert perplexity <= 0.7 * unigram_perplexity(tokenizer, training.titles, held_out)


def test_perplexity_counts_every_token_once(trained_folder):
    """Padding and batching leave the value alone, and it is that of a plain loop."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(trained_folder), load_tokenizer(trained_folder)
    titles = ["Ember Saga II - PC", "Iron", "Frost Cup III - Orion and more"]
    losses = []
    for title in titles:
        ids = torch.tensor([[*tokenizer(title)["input_ids"], tokenizer.eos_token_id]])
        with torch.inference_mode():
            log_shares = model(input_ids=ids).logits.log_softmax(-1)[0]
        losses += [-float(log_shares[place, ids[0, place + 1]]) for place in range(ids.shape[1] - 1)]
    assert model_perplexity(model, tokenizer, titles) == pytest.approx(np.exp(np.mean(losses)), rel=1e-4)


def test_default_size_is_within_three_million(items, tmp_path):
    options = SmallModelOptions(training_steps=1, tokens_per_step=128)
    folder = build_base_model(items, tmp_path / "m", model=None, random_state=0, small_model=options)
    summary = json.loads((folder / "training_summary.json").read_text())
    assert 1_200_000 < summary["parameters_besides_embeddings"] < 3_000_000


def test_training_text_leaves_held_out_titles_alone(items):
    training, held_out = CatalogueText.from_items(items).split(0.2, 0)
    documents = training.draw_documents(500, np.random.default_rng(0))
    assert len(held_out) == 24
    assert not any(title in document for title in held_out for document in documents)
    assert set(training.titles) | set(held_out) == set(items["title"].to_pylist())


def test_lists_end_in_a_line_of_their_own(items):
    documents = CatalogueText.from_items(items).draw_documents(200, np.random.default_rng(0))
    lists = [document for document in documents if "\n" in document]
    assert 150 < len(lists) < 200
    assert all(document.count("\n") == 1 and not document.endswith("\n") for document in lists)
    assert max(document.count("; ") for document in lists) == 6


def test_any_text_survives_the_tokenizer(trained_folder):
    tokenizer = load_tokenizer(trained_folder)
    for text in ("Pokémon™ 日本 ½", "a\tb  c\nd", "<eos"):
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == f" {text}"
    within = tokenizer("Saga; Ember Rally", add_special_tokens=False)["input_ids"]
    assert within[-2:] == tokenizer("Ember Rally", add_special_tokens=False)["input_ids"][-2:]


def test_another_process_trains_the_same_model(trained_folder, tmp_path):
    command = [sys.executable, "-c", TRAIN_AGAIN, str(tmp_path / "again"), str(Path(__file__).parents[1] / "cases")]
    environment = os.environ | {"PYTHONHASHSEED": "random"}
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert again.stdout.strip() == fingerprint(trained_folder)


def test_another_seed_gives_another_model_and_leaves_global_draws_alone(items, trained_folder, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    other = build_base_model(items, tmp_path / "m", model=None, random_state=1, small_model=SMALL)
    assert torch.equal(torch.rand(1), expected)
    assert fingerprint(other / "model.safetensors") != fingerprint(trained_folder / "model.safetensors")


def test_body_has_no_head_and_is_causal(trained_folder):
    body = load_body(trained_folder, dtype=torch.bfloat16)
    assert type(body).__name__ == "LlamaModel"
    assert not body.training
    assert body.dtype == torch.bfloat16
    assert is_causal(trained_folder)


def test_one_title_is_too_few(items, tmp_path):
    with pytest.raises(ValueError, match=r"fewer than two distinct titles; set foundation.model"):
        build_base_model(items.slice(0, 1), tmp_path / "m", model=None, random_state=0)
    assert not (tmp_path / "m").exists()


def test_hidden_size_must_fit_the_heads():
    with pytest.raises(ValueError, match="hidden_size is 100: it must be at least 32 and a multiple of 32"):
        SmallModelOptions(hidden_size=100)
