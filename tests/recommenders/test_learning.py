"""Every recommender learns from the tiny embedded corpus: one seed each, above its untuned self."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from coresift.corpus import Source, embedded_corpus, ingest
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.foundation import (
    SemanticIdOptions,
    SmallModelOptions,
    build_base_model,
    item_text_vectors,
    learn_semantic_ids,
    load_tokenizer,
)
from coresift.prompting import ClickTemplates, PromptTemplates, render_prompts
from coresift.ranking import click_log_losses, ranking_metrics
from coresift.recommenders import AdapterOptions, build_recommender, with_histories

SMALL = SmallModelOptions(vocabulary_size=512, hidden_size=64, n_layers=2, training_steps=20, tokens_per_step=1024)
WIDE = AdapterOptions(r=8, dropout=0.0, targets=["q_proj", "v_proj", "up_proj", "down_proj"])


@cache
def corpus(samples):
    shop = embedded_corpus(seed=0, n_users=160, n_items=80)
    raw = (Source(f"raw_{name}", table=getattr(shop, name)) for name in ("interactions", "items", "users"))
    return ingest(*raw, samples=samples, max_history=20, threads=1)


@pytest.fixture(scope="module")
def base_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / "model"
    return build_base_model(corpus("click").items, folder, model=None, random_state=0, small_model=SMALL)


def build(name, data, base_model, **options):
    if name == "semantic_id":
        vectors = item_text_vectors(data.items, dimensions=32)
        options["semantic_ids"] = learn_semantic_ids(vectors, options=SemanticIdOptions(steps=60))
    return lambda **more: build_recommender(
        name, base_model=base_model, items=data.items, device="cpu", **options, **more
    )


def quality(recommender, prompts, samples):
    """Mean reciprocal rank over validation and test users, or minus the mean log loss."""
    if recommender.name == "yes_no":
        probability = recommender.click_probabilities(prompts).numpy().astype(float)
        return -click_log_losses(probability, np.asarray(prompts["label"])).mean()
    ids, _ = recommender.rank(prompts, 50, samples["history"].combine_chunks())
    return np.nanmean(ranking_metrics(ids.numpy(), samples["targets"].combine_chunks())["mrr@50"])


CASES = {
    "dense": ({"negatives": 32}, 384, {"epochs": 2, "learning_rate": 5e-3}),
    "title_generation": ({"decoding": "trie", "beams": 16}, 1024, {"epochs": 4, "learning_rate": 1e-2}),
    "semantic_id": ({"width": 32, "n_layers": 1, "n_heads": 2}, 384, {"epochs": 4, "learning_rate": 1e-2}),
    "yes_no": ({}, 384, {"epochs": 2, "learning_rate": 5e-3}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_tuned_recommender_is_above_its_untuned_self(name, base_model, tmp_path):
    options, n_samples, training = CASES[name]
    clicks = name == "yes_no"
    data = corpus("click" if clicks else "all_prefixes")
    rendered = render_prompts(
        data.samples,
        data.items,
        load_tokenizer(base_model),
        templates=ClickTemplates() if clicks else PromptTemplates(),
        history_length=5,
        max_tokens=96,
    )
    prompts = with_histories(rendered, data.samples)
    later = pc.greater(data.samples["split"], 0)
    held_out, asked = data.samples.filter(later), prompts.filter(later)
    make = build(name, data, base_model, **options)
    recommender = make(adapter=WIDE)
    train = prompts.filter(pc.equal(prompts["split"], 0))["sample_id"]
    few = np.sort(np.random.default_rng(0).permutation(train.to_numpy())[:n_samples])
    coreset = pa.table({"sample_id": pa.array(few, pa.int32()), "weight": pa.array(np.ones(len(few)), pa.float32())})
    settings = FineTuningOptions(min_steps=1, batch_size=32, validation_samples=0, **training)
    fine_tune(recommender, prompts, coreset=coreset, work_folder=tmp_path, options=settings)
    assert quality(recommender, asked, held_out) > quality(make(), asked, held_out)
