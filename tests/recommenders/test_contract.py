"""What holds for every recommender: options, inputs, and what an adapter remembers of both."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
import torch
from recommender_cases import TITLES, items_table, prompts_table, small_base_model

from coresift.attribution import GradientFeatureOptions, GradientNormOptions
from coresift.finetuning import FineTuningOptions, tune_adapter
from coresift.personalization import RecLoraConfig
from coresift.recommenders import (
    RECOMMENDERS,
    AdapterOptions,
    DenseOptions,
    Recommender,
    RecommenderInputs,
    build_recommender,
    probe_gradients,
    recommender_of,
    recommender_options,
)
from coresift.storage import SCHEMAS, Shards, fingerprint


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return small_base_model(tmp_path_factory.mktemp("models") / "base")


def inputs_of(base, **given):
    return RecommenderInputs(**({"options": DenseOptions(), "base_model": base, "items": items_table()} | given))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dense", {"temperature": 0.0}, r"recommender\.dense\.temperature is 0\.0: it must be above 0\."),
        ("dense", {"history_share": 1.5}, r"history_share is 1\.5: it must be at least 0 and at most 1\."),
        ("title_generation", {"beams": 0}, r"recommender\.title_generation\.beams is 0: it must be at least 1\."),
        ("title_generation", {"loss_on": "title"}, r"loss_on is 'title': use one of response, all"),
        ("semantic_id", {"tuning": "half"}, r"recommender\.semantic_id\.tuning is 'half': use one of full, lora"),
        ("yes_no", {"pooling": "max"}, r"recommender\.yes_no\.pooling is 'max': use one of mean, last"),
        ("densest", {}, r"recommender\.name is 'densest': use one of dense, semantic_id"),
    ],
)
def test_an_option_out_of_bounds_is_one_sentence(base, name, options, message):
    with pytest.raises(ValueError, match=message):
        recommender_options(name, **options)
    with pytest.raises(ValueError, match=message):
        build_recommender(name, base_model=base, items=items_table(), **options)


@pytest.mark.parametrize("options", [{"r": 0}, {"alpha": 0}, {"dropout": 1.0}])
def test_an_adapter_out_of_bounds_is_refused(options):
    with pytest.raises(ValueError, match=rf"adapter\.{next(iter(options))} is "):
        AdapterOptions(**options)


def test_every_recommender_keeps_the_contract():
    for kind in RECOMMENDERS.values():
        assert issubclass(kind, Recommender)
        clicks = kind.declared().predicts_clicks
        assert (kind.rank is Recommender.rank) == clicks
        assert (kind.click_probabilities is Recommender.click_probabilities) != clicks
        assert (kind.item_logits is Recommender.item_logits) != kind.scores_items


def test_a_work_folder_is_named_by_all_that_a_recommender_is_made_of(base, tmp_path):
    items, codes = items_table(), [[row, 0, 0] for row in range(len(TITLES))]
    semantic_ids = pa.table({"item_id": range(len(TITLES)), "codes": codes}, schema=SCHEMAS["semantic_ids"])
    other = small_base_model(tmp_path / "other", "bert")
    changes = [
        {"options": DenseOptions(temperature=0.1)},
        {"options": recommender_options("yes_no")},
        {"base_model": other},
        {"items": items.set_column(items.column_names.index("text"), "text", pa.array(["x"] * len(items)))},
        {"semantic_ids": semantic_ids},
        {"item_counts": torch.ones(len(items))},
        {"dtype": "bfloat16"},
        {"random_state": 1},
    ]
    names = [fingerprint(*inputs_of(base, **change).made_of()) for change in [{}, *changes]]
    assert len(set(names)) == len(names)
    assert fingerprint(*inputs_of(base).made_of()) == names[0]


def test_untuned_tuned_and_probed_recommenders_are_built_of_the_same_inputs(base, tmp_path):
    inputs, prompts = inputs_of(base, options=DenseOptions(pooling="last", negatives=8)), prompts_table(12)
    training = FineTuningOptions(epochs=1, min_steps=1, batch_size=4, validation_samples=0)
    tuned = tune_adapter(
        inputs, AdapterOptions(r=2), prompts, coreset=None, work_folder=tmp_path / "work", options=training
    )
    loaded, untuned = recommender_of(inputs, adapter_folder=tuned.folder), recommender_of(inputs)
    assert not torch.equal(loaded.rank(prompts, 3)[1], untuned.rank(prompts, 3)[1])
    measured = {"norms": GradientNormOptions(), "features": GradientFeatureOptions()}
    norms = [
        probe_gradients(inputs, adapter, prompts, Shards(tmp_path / str(place)), **measured)[0]["gradient_norm"]
        for place, adapter in enumerate([AdapterOptions(r=2), AdapterOptions(r=2, use_dora=True)])
    ]
    assert torch.equal(*norms) and len(norms[0]) == 12
    by_name = build_recommender("dense", base_model=base, items=items_table(), adapter_folder=tuned.folder)
    assert by_name.options.pooling == "last", "what an adapter was tuned for is the default"
    assert torch.equal(by_name.rank(prompts, 3)[1], loaded.rank(prompts, 3)[1])
    with pytest.raises(ValueError, match="tuned with pooling 'last', not 'mean'"):
        recommender_of(replace(inputs, options=DenseOptions()), adapter_folder=tuned.folder)
    with pytest.raises(ValueError, match="tuned with name 'dense', not 'yes_no'"):
        build_recommender("yes_no", base_model=base, items=items_table(), adapter_folder=tuned.folder)


@pytest.mark.parametrize("options", [{"gate_dropout": 1.0}, {"gate_hidden": -1}, {"gate_rate": 0}, {"r": 0}])
def test_a_mixture_out_of_bounds_is_refused(options):
    with pytest.raises(ValueError, match=rf"personalization\.{next(iter(options))} is .*: it must be"):
        RecLoraConfig(**options)
