"""Titles longer than a response may be: what is learnt of them is what is written, scored and ranked."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
import torch
from recommender_cases import TITLES, WORDS, small_base_model, small_generator, small_tokenizer

from coresift.foundation import load_tokenizer
from coresift.prompting import render_prompts
from coresift.recommenders import AdapterOptions, build_recommender, with_histories
from coresift.storage import SCHEMAS, read_table, write_table

LONG = " ".join(WORDS)
CATALOGUE = [f"{LONG} {WORDS[0]}", *TITLES[:8], f"{LONG} {WORDS[1]}", " ".join(WORDS[:5])]
"""The first, the last but one and the last title begin with the same five words."""
ALIKE = [0, 9, 10]
EVERYWHERE = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return small_base_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def chat_base(tmp_path_factory):
    """A model whose chat template ends an answer by two tokens."""
    folder, tokenizer = tmp_path_factory.mktemp("models") / "chat", small_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}[BOS]{{ m.content }}[EOS],{% endfor %}"
    small_generator().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def table(name, *columns):
    return pa.table(dict(zip(SCHEMAS[name].names, columns, strict=True)), schema=SCHEMAS[name])


def items():
    return table("items", range(len(CATALOGUE)), CATALOGUE, CATALOGUE, [None] * len(CATALOGUE), CATALOGUE)


def samples(targets):
    n = len(targets)
    history = [[1 + row % 8, 2] for row in range(n)]
    columns = [range(n), range(n), history, [[None] * 2] * n, [[target] for target in targets]]
    return table("samples", *columns, [1] * n, [None] * n, [0] * n)


def prompts_of(base, targets, longest=6):
    return render_prompts(samples(targets), items(), load_tokenizer(base), max_tokens=48, max_response_tokens=longest)


def built(base, **options):
    return build_recommender("title_generation", base_model=base, items=items(), device="cpu", **options)


@pytest.mark.parametrize("folder", ["base", "chat_base"])
def test_every_response_that_is_learnt_is_a_leaf_of_the_tree(folder, request):
    base = request.getfixturevalue(folder)
    prompts, recommender = prompts_of(base, range(len(CATALOGUE))), built(base)
    recommender.rows(prompts)
    for row in prompts.to_pylist():
        learnt = torch.tensor([row["input_ids"][row["prompt_length"] :]])
        assert recommender.trie.walk(learnt).tolist() == [recommender.trie.leaf[row["target_id"]]]
    assert len({int(recommender.trie.leaf[item]) for item in ALIKE}) == 1


@pytest.mark.parametrize("folder", ["base", "chat_base"])
@pytest.mark.parametrize("decoding", ["grounding", "trie", "likelihood"])
def test_titles_that_are_equal_after_the_cut_stand_together_by_their_ids(folder, decoding, request):
    base = request.getfixturevalue(folder)
    recommender = built(base, decoding=decoding, beams=20)
    ids, scores = recommender.rank(prompts_of(base, [0, 1, 2]), len(CATALOGUE))
    for row, values in zip(ids.tolist(), scores.tolist(), strict=True):
        first = row.index(0)
        assert sorted(row) == list(range(len(CATALOGUE)))
        assert row[first : first + 3] == ALIKE
        assert len(set(values[first : first + 3])) == 1


def test_a_cut_title_that_is_known_by_heart_stands_first_in_every_way(base):
    prompts = prompts_of(base, [0] * 8)
    tuned = built(base, adapter=AdapterOptions(r=8, alpha=32, dropout=0.0, targets=EVERYWHERE))
    optimizer = torch.optim.AdamW([part for part in tuned.model.parameters() if part.requires_grad], lr=5e-3)
    for _ in range(300):
        (batch,) = tuned.batches(prompts, 8)
        loss = tuned.sample_loss(tuned.model, batch).mean()
        if loss < 2e-3:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for decoding in ("likelihood", "trie", "grounding"):
        tuned.options = replace(tuned.options, decoding=decoding)
        ids, scores = tuned.rank(prompts.slice(0, 2), 3)
        assert ids.tolist() == [ALIKE, ALIKE], decoding
    torch.testing.assert_close(scores, torch.zeros(2, 3), atol=1e-2, rtol=0)


def test_no_prompt_is_answered_by_more_tokens_than_the_budget(base):
    recommender, steps = built(base, beams=2), []
    recommender.model.register_forward_hook(lambda *_: steps.append(1))
    recommender.generate(prompts_of(base, [1, 2], longest=6))
    assert len(steps) <= 6


def test_the_budget_goes_along_with_the_prompts(base, tmp_path):
    prompts, recommender = prompts_of(base, [1, 2]), built(base)
    write_table(tmp_path / "prompts.parquet", prompts)
    stored = with_histories(read_table(tmp_path / "prompts.parquet"), samples([1, 2])).take([1, 0])
    recommender.rows(stored)
    assert recommender.trie.longest == 6
    recommender.rows(prompts_of(base, [1, 2], longest=8))
    assert recommender.trie.longest == 8
    assert recommender.title_vectors.shape[0] == len(CATALOGUE) - 1, "eight tokens tell one of the three apart"


def test_prompts_made_elsewhere_cut_where_their_longest_response_ends(base):
    recommender = built(base)
    recommender.rows(prompts_of(base, [1, 0, 2], longest=6).replace_schema_metadata(None))
    assert recommender.trie.longest == 6
    recommender.rows(prompts_of(base, [1, 2], longest=6).replace_schema_metadata(None))
    assert recommender.trie.longest == len(CATALOGUE[0].split()) + 1, "nothing says that titles are cut"
