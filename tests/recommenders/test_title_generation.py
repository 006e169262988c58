from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from recommender_cases import END, TITLES, items_table, prompts_table, small_base_model, small_tokenizer

from coresift.attribution import gradient_norms
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.recommenders.title_generation.likelihood import CatalogueLikelihood
from coresift.recommenders.writing.constrained_beams import best_sequences
from coresift.recommenders.writing.token_trie import TokenTrie

WIDE = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return small_base_model(tmp_path_factory.mktemp("models") / "base")


def built(base, items=None, **options):
    items = items_table() if items is None else items
    return build_recommender("title_generation", base_model=base, items=items, device="cpu", **options)


def adapted(base, **options):
    recommender = built(base, adapter=AdapterOptions(r=4, dropout=0.1), **options)
    with torch.no_grad():
        for name, parameter in recommender.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(len(name)))
    return recommender


def plain_log_likelihood(recommender, question, title):
    """Log-likelihood of a title behind a question, token by token from one plain forward pass."""
    answer = [*small_tokenizer()(title, add_special_tokens=False)["input_ids"], END]
    with torch.no_grad():
        logits = recommender.model.eval()(input_ids=torch.tensor([question + answer])).logits[0]
    chances = logits.log_softmax(-1)[len(question) - 1 : -1]
    return chances[torch.arange(len(answer)), answer].sum()


def questions(prompts):
    return [row["input_ids"][: row["prompt_length"]] for row in prompts.to_pylist()]


def test_the_loss_is_the_mean_over_the_title_s_tokens(base):
    recommender, prompts = adapted(base), prompts_table(7)
    (batch,) = recommender.batches(prompts, 7)
    losses = recommender.sample_loss(recommender.model.eval(), batch)
    for loss, question, title in zip(losses, questions(prompts), prompts["response"].to_pylist(), strict=True):
        torch.testing.assert_close(loss, -plain_log_likelihood(recommender, question, title) / 4, rtol=1e-4, atol=1e-5)


def test_the_loss_on_all_tokens_is_that_of_the_library(base):
    recommender, prompts = adapted(base, loss_on="all"), prompts_table(4)
    model = recommender.model.eval()
    losses = [recommender.sample_loss(model, batch) for batch in recommender.batches(prompts, 2)]
    for loss, row in zip(torch.cat(losses), prompts.to_pylist(), strict=True):
        ids = torch.tensor([row["input_ids"]])
        torch.testing.assert_close(loss, model(input_ids=ids, labels=ids).loss, rtol=1e-4, atol=1e-5)


def test_gradient_norms_equal_autograd(base):
    recommender, prompts = adapted(base), prompts_table(5)
    model = recommender.model
    norms = gradient_norms(model, recommender.batches(prompts, 5), loss=recommender.sample_loss)
    (batch,) = recommender.batches(prompts, 5)
    lora = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for loss, norm in zip(recommender.sample_loss(model.eval(), batch), norms, strict=True):
        gradients = torch.autograd.grad(loss, lora, retain_graph=True)
        torch.testing.assert_close(norm, sum(part.square().sum() for part in gradients).sqrt(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("nodes_per_pass", [3, 7, 256])
def test_the_likelihood_of_every_title_equals_one_pass_per_title(base, nodes_per_pass):
    recommender, prompts = adapted(base), prompts_table(3)
    likelihood = CatalogueLikelihood(recommender.trie, nodes_per_pass=nodes_per_pass)
    recommender.model.eval()
    parts = list(
        recommender._passes(
            prompts,
            3,
            lambda batch: likelihood.log_likelihoods(
                recommender.model, batch | {"position_ids": (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)}
            ),
            "",
        )
    )
    ((places, found),) = parts
    for place, row in zip(places.tolist(), found, strict=True):
        expected = [plain_log_likelihood(recommender, questions(prompts)[place], title) for title in TITLES]
        torch.testing.assert_close(row, torch.stack(expected), rtol=1e-4, atol=1e-4)


def test_wide_enough_beams_find_the_exact_ranking(base):
    prompts = prompts_table(4)
    exact_ids, exact_scores = adapted(base, decoding="likelihood").rank(prompts, 10)
    ids, scores = adapted(base, decoding="trie", beams=len(TITLES)).rank(prompts, 10)
    torch.testing.assert_close(scores, exact_scores, rtol=1e-4, atol=1e-4)
    assert torch.equal(ids, exact_ids)


def test_what_a_publisher_has_set_does_not_change_likelihoods(base):
    recommender, prompts = adapted(base, decoding="trie", beams=100), prompts_table(3)
    plain = recommender.rank(prompts, len(TITLES))
    body = recommender.model.get_base_model()
    body.generation_config.repetition_penalty, body.generation_config.no_repeat_ngram_size = 1.8, 2
    penalised = recommender.rank(prompts, len(TITLES))
    assert torch.equal(plain[0], penalised[0])
    assert torch.equal(plain[1], penalised[1])
    assert body.generation_config.repetition_penalty == 1.8


def test_one_beam_finds_one_title(base):
    recommender = adapted(base, decoding="trie", beams=1)
    assert (recommender.rank(prompts_table(3), 1)[0] >= 0).all()


def test_more_beams_than_titles_list_every_title_once(base):
    ids, scores = built(base, decoding="trie", beams=len(TITLES) + 10).rank(prompts_table(3), len(TITLES))
    assert [sorted(row) for row in ids.tolist()] == [list(range(len(TITLES)))] * 3
    assert (scores > -1e6).all()


def test_few_beams_give_short_lists_of_real_titles_outside_the_history(base):
    prompts = prompts_table(6)
    seen = prompts["history"].combine_chunks()
    ids, scores = adapted(base, decoding="trie", beams=3).rank(prompts, 8, seen)
    assert (ids[:, 3:] == -1).all()
    assert (scores[:, 3:] == -torch.inf).all()
    listed = [(row, item) for row, items in enumerate(ids.tolist()) for item in items if item >= 0]
    assert listed
    assert not {(row, item) for row, history in enumerate(seen.to_pylist()) for item in history} & set(listed)


def test_writing_and_grounding_finds_the_title_that_was_written(base):
    recommender, prompts = adapted(base), prompts_table(3)
    recommender.generate = lambda _: ["blue new boat", "green old car", "red old puzzle"]
    ids, scores = recommender.rank(prompts, 2)
    assert [TITLES[item] for item in ids[:, 0]] == ["blue new boat", "green old car", "red old puzzle"]
    torch.testing.assert_close(scores[:, 0], torch.zeros(3), atol=1e-2, rtol=0)
    assert (scores[:, 1] < -0.1).all()


def test_grounding_reads_the_base_model_without_the_adapter(base):
    recommender, plain = adapted(base), built(base)
    torch.testing.assert_close(recommender.title_vectors, plain.title_vectors)
    ids = torch.tensor([small_tokenizer()(TITLES[4])["input_ids"]])
    expected = plain.model.model(input_ids=ids).last_hidden_state[0, -1].detach()
    torch.testing.assert_close(plain.title_vectors[plain.title_of_item[4]], expected, rtol=1e-4, atol=1e-5)


def test_free_text_is_the_library_s_beam_search_for_each_prompt_alone(base):
    recommender, prompts = adapted(base, beams=2), prompts_table(5)
    together = recommender.generate(prompts)
    for text, question in zip(together, questions(prompts), strict=True):
        alone = recommender.model.eval().generate(
            input_ids=torch.tensor([question]),
            num_beams=2,
            max_new_tokens=4,
            do_sample=False,
            length_penalty=0.0,
            eos_token_id=END,
            pad_token_id=0,
        )
        assert text == small_tokenizer().decode(alone[0, len(question) :], skip_special_tokens=True)


def test_popularity_brings_items_nearer(base):
    counts = torch.zeros(len(TITLES))
    counts[7] = 50
    prompts = prompts_table(4)
    ids, _ = built(base, popularity_weight=9.0, item_counts=counts).rank(prompts, 3)
    assert all(7 in row for row in ids.tolist())
    with pytest.raises(ValueError, match="popularity_weight needs the number of interactions"):
        built(base, popularity_weight=1.0).rank(prompts, 3)


@pytest.mark.parametrize("decoding", ["grounding", "trie", "likelihood"])
def test_items_of_one_title_stand_next_to_each_other(base, decoding):
    titles = [TITLES[4], *TITLES[1:20], TITLES[4]]
    items = pa.table({"item_id": pa.array(range(21), pa.int32()), "title": titles, "text": titles})
    ids, scores = built(base, items, decoding=decoding, beams=25).rank(prompts_table(3).slice(0, 2), 21)
    for row, values in zip(ids.tolist(), scores, strict=True):
        first = row.index(0)
        assert row[first : first + 3] == [0, 4, 20]
        assert len(set(values[first : first + 3].tolist())) == 1


def test_training_learns_and_the_adapter_ranks_the_same_after_saving(base, tmp_path):
    prompts, watched = prompts_table(64), prompts_table(30, seed=2)
    recommender = built(base, adapter=AdapterOptions(r=8, dropout=0.0, targets=WIDE), decoding="trie", beams=6)

    def hits(model):
        ids, _ = model.rank(watched, 6, watched["history"].combine_chunks())
        return np.mean([target in row for target, row in zip(watched["target_id"].to_pylist(), ids, strict=True)])

    before = hits(recommender)
    training = FineTuningOptions(epochs=8, min_steps=1, batch_size=16, learning_rate=1e-2, validation_samples=0)
    tuned = fine_tune(recommender, prompts, coreset=None, work_folder=tmp_path, options=training)
    assert hits(recommender) > before
    for decoding in ("grounding", "trie", "likelihood"):
        recommender.options = replace(recommender.options, decoding=decoding)
        loaded = built(base, adapter_folder=tuned.folder, decoding=decoding, beams=6)
        assert torch.equal(loaded.rank(watched, 6)[0], recommender.rank(watched, 6)[0])
    with pytest.raises(ValueError, match="title_generation has no score for every item"):
        loaded.item_logits(watched)


def test_clear_errors(base, tmp_path):
    with pytest.raises(ValueError, match="writes text, which an encoder cannot"):
        built(small_base_model(tmp_path / "bert", "bert"))
    with pytest.raises(ValueError, match="use one of grounding, trie, likelihood"):
        built(base, decoding="guessing")
    prompts = prompts_table(2)
    place = prompts.column_names.index("response")
    with pytest.raises(ValueError, match=r"sample 0 is answered by 'x'.*templates.response"):
        built(base).rows(prompts.set_column(place, "response", pa.array(["x", "y"])))


@pytest.mark.parametrize(("n_titles", "beams"), [(1, 5), (2, 2), (2, 9), (3, 7)])
def test_more_beams_than_leaves_find_every_leaf_once(base, n_titles, beams):
    recommender, prompts = adapted(base), prompts_table(3)
    ends = [*small_tokenizer()(TITLES[:n_titles], add_special_tokens=False)["input_ids"]]
    trie = TokenTrie([[*title, END] for title in ends], len(small_tokenizer()))
    found = [
        part
        for _, part in recommender._passes(
            prompts,
            3,
            lambda batch: best_sequences(
                recommender.model, batch, trie, beams=beams, start=batch["input_ids"].shape[1], end=END, padding=0
            ),
            "",
        )
    ]
    for leaves, scores in found:
        assert leaves.shape == scores.shape == (len(leaves), beams)
        for row, values in zip(leaves.tolist(), scores.tolist(), strict=True):
            assert sorted(row[:n_titles]) == sorted(trie.leaf.tolist())
            assert row[n_titles:] == [-1] * (beams - n_titles)
            assert all(value > -1e6 for value in values[:n_titles])
            assert values[n_titles:] == [-float("inf")] * (beams - n_titles)
