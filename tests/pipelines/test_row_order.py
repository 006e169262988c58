"""Every dataset is joined by its ids: the order in which its rows are handed over changes nothing."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from evaluation_cases import interactions, noisy_world
from evaluation_cases import samples as samples_of

from coresift.evaluation import (
    SurrogateScores,
    evaluate_rankings,
    evaluate_slices,
    prior_tuning,
    rank_surrogate,
    rank_surrogate_with_prior,
)
from coresift.foundation import SemanticIdOptions, learn_semantic_ids
from coresift.parameters import RecommenderParameters, Seed, Threads
from coresift.personalization import SampleStates
from coresift.pipelines.prompting.nodes import render_prompts
from coresift.pipelines.surrogate.nodes import train_surrogate_model
from coresift.prompting.histories import ItemFields
from coresift.recommenders import CodeModelOptions, RecommenderInputs
from coresift.recommenders.semantic_id.rows import CodeVocabulary
from coresift.selection import assemble_pool
from coresift.storage import Tensors

N_ITEMS, N_SAMPLES = 12, 8
GENERATOR = torch.Generator().manual_seed(3)
ITEM_ORDER, SAMPLE_ORDER = (torch.randperm(count, generator=GENERATOR) for count in (N_ITEMS, N_SAMPLES))
VECTORS = Tensors({"item_id": torch.arange(N_ITEMS), "vector": torch.randn(N_ITEMS, 4, generator=GENERATOR)})
STATES = Tensors({"sample_id": torch.arange(N_SAMPLES), "state": torch.randn(N_SAMPLES, 4, generator=GENERATOR)})


def shuffled(tensors, order):
    return Tensors({name: tensor[order] for name, tensor in tensors.items()}, getattr(tensors, "metadata", {}))


def shuffled_table(table):
    return table.take(pa.array(np.random.default_rng(0).permutation(len(table))))


@pytest.fixture
def samples():
    histories, targets = [[row] for row in range(N_SAMPLES)], [[row + 2] for row in range(N_SAMPLES)]
    table = samples_of(histories, targets, [0, 0, 0, 1, 1, 1, 2, 2])
    return table.append_column("user_id", pa.array(range(N_SAMPLES), pa.int32()))


@pytest.fixture
def log():
    return interactions([(user, (user * 5) % N_ITEMS, user % 2) for user in range(N_SAMPLES)])


def test_rankings_of_the_surrogate(samples, log):
    tuning = prior_tuning(samples, log, N_ITEMS, n_users=9)
    for given in ((STATES, shuffled(VECTORS, ITEM_ORDER)), (shuffled(STATES, SAMPLE_ORDER), VECTORS)):
        assert rank_surrogate(samples, *given, k=5) == rank_surrogate(samples, STATES, VECTORS, k=5)
        found = rank_surrogate_with_prior(samples, *given, k=5, tuning=tuning)
        assert found == rank_surrogate_with_prior(samples, STATES, VECTORS, k=5, tuning=tuning)
        rows = slice(0, N_SAMPLES)
        assert torch.equal(
            SurrogateScores(*given).of(samples)(rows), SurrogateScores(STATES, VECTORS).of(samples)(rows)
        )
    with pytest.raises(ValueError, match="item_vectors lacks 1 of 12 items, the first is item_id 11"):
        rank_surrogate(samples, STATES, shuffled(VECTORS, torch.arange(11)), k=5, n_items=N_ITEMS)
    with pytest.raises(ValueError, match="surrogate_states holds sample_id 7 twice"):
        rank_surrogate(samples, shuffled(STATES, torch.tensor([*range(8), 7])), VECTORS, k=5)


def test_the_candidate_pool(samples):
    samples = samples.append_column("label", pa.array([1] * N_SAMPLES, pa.int8()))
    prompts = samples.select(["sample_id"])
    tensors = {
        "surrogate_states": STATES,
        "sample_embeddings": {"sample_id": STATES["sample_id"], "embedding": STATES["state"] + 1},
        "gradient_features": {"sample_id": STATES["sample_id"], "feature": STATES["state"] + 2},
        "gradient_norms": {"sample_id": STATES["sample_id"], "gradient_norm": torch.arange(8.0)},
        "influence_scores": {"sample_id": STATES["sample_id"], "influence": torch.arange(8.0) - 3},
    }
    scores = pa.table({"sample_id": pa.array(range(8), pa.int32()), "el2n": np.arange(8.0)})
    expected = vars(assemble_pool(samples, prompts, tensors, scores))
    for dataset, own in tensors.items():
        found = vars(assemble_pool(samples, prompts, tensors | {dataset: shuffled(own, SAMPLE_ORDER)}, scores))
        for name, values in expected.items():
            np.testing.assert_equal(found[name], values)
    tables = [shuffled_table(table) for table in (samples, prompts, scores)]
    np.testing.assert_equal(vars(assemble_pool(tables[0], tables[1], tensors, tables[2])), expected)
    tensors["gradient_norms"] = shuffled(tensors["gradient_norms"], torch.tensor([*range(8), 2]))
    with pytest.raises(ValueError, match="gradient_norms holds sample_id 2 twice"):
        assemble_pool(samples, prompts, tensors, scores)


def test_metrics_of_rankings(log):
    users, rankings = noisy_world(20)
    expected = evaluate_rankings(rankings, users, ks=(5, 10), n_resamples=50)[0]
    slices = evaluate_slices(rankings, users, log, n_resamples=50)
    other = shuffled_table(rankings)
    assert evaluate_rankings(other, users, ks=(5, 10), n_resamples=50)[0] == expected
    assert evaluate_slices(other, users, log, n_resamples=50) == slices
    reordered = shuffled_table(users)
    again = evaluate_rankings(other, reordered, ks=(5, 10), n_resamples=50)[0]
    assert [row["recall@5"]["mean"] for row in again["rows"]] == pytest.approx(
        [row["recall@5"]["mean"] for row in expected["rows"]]
    )
    means = [entry["recall@10"]["mean"] for entry in evaluate_slices(other, reordered, log, n_resamples=50)]
    assert means == pytest.approx([entry["recall@10"]["mean"] for entry in slices])
    with pytest.raises(ValueError, match="do not cover the test samples"):
        evaluate_slices(rankings.slice(1), users, log)


def test_states_of_a_personalized_model():
    wanted = torch.tensor([5, 1, 1, 7])
    assert torch.equal(SampleStates(shuffled(STATES, SAMPLE_ORDER)).of(wanted), SampleStates(STATES).of(wanted))


def test_semantic_ids_and_what_is_learnt_from_item_texts():
    options = SemanticIdOptions(levels=2, codebook_size=4, latent=4, steps=5, batch_size=8)
    table = learn_semantic_ids(VECTORS, options=options)
    assert learn_semantic_ids(shuffled(VECTORS, ITEM_ORDER), options=options) == table
    other = shuffled_table(table)
    assert (CodeVocabulary(other).tokens == CodeVocabulary(table).tokens).all()
    items = pa.table({"item_id": pa.array(range(N_ITEMS), pa.int32())})
    given = RecommenderInputs(CodeModelOptions(), None, items, other)
    assert given.known_semantic_ids["codes"].equals(table["codes"])


def test_titles_of_a_catalogue():
    titles = [f"t{item}" for item in range(N_ITEMS)]
    items = pa.table({"item_id": range(N_ITEMS), "title": titles, "categories": [["c"]] * N_ITEMS, "text": titles})
    fields = ItemFields(shuffled_table(items))
    assert [fields[item]["title"] for item in range(N_ITEMS)] == titles


def test_text_vectors_that_the_surrogate_and_the_prompts_read(monkeypatch, tmp_path):
    received = []

    def stop(*_, item_text_vectors, **__):
        received.append(item_text_vectors)
        raise InterruptedError

    monkeypatch.setattr("coresift.surrogate.surrogate_trainer", stop)
    monkeypatch.setattr("coresift.prompting.render_prompts", stop)
    monkeypatch.setattr("coresift.prompting.check_labels", lambda *_, **__: None)
    monkeypatch.setattr("coresift.foundation.load_tokenizer", lambda _: None)
    items = pa.table({"item_id": pa.array(range(N_ITEMS), pa.int32())})
    other, options = shuffled(VECTORS, ITEM_ORDER), SimpleNamespace(model_dump=lambda **_: {}, model="sasrec")
    options.training_options, options.templates, options.root = dict, options, 0
    monkeypatch.setattr("coresift.prompting.PromptTemplates", lambda: None)
    with pytest.raises(InterruptedError):
        train_surrogate_model(
            None,
            None,
            items,
            None,
            other,
            parameters=options,
            device=options,
            threads=Threads(1),
            seed=Seed(0),
            data_dir=None,
        )
    with pytest.raises(InterruptedError):
        render_prompts(None, items, None, tmp_path, other, parameters=options, recommender=RecommenderParameters())
    assert all(torch.equal(vectors, VECTORS["vector"]) for vectors in received)
    assert len(received) == 2
