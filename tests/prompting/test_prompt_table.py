from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from toy_samples import TITLES, toy_items, toy_samples

from coresift.prompting import PromptTemplates, render_prompts
from coresift.storage import SCHEMAS

FULL = "Iron Siege; Frost Saga II; Ember Rally\nNext:\n"
KINDS = ["decoder", "encoder", "chat"]


def one(tokenizer, history=(0, 1, 2), targets=(3, 4), **options):
    return render_prompts(toy_samples([list(history)], [list(targets)]), toy_items(), tokenizer, **options).to_pylist()[
        0
    ]


def read(tokenizer, row):
    """What a model really sees, as text: prompt part and response part."""
    border = row["prompt_length"]
    return tokenizer.decode(row["input_ids"][:border]), tokenizer.decode(row["input_ids"][border:])


def test_table_follows_its_contract(decoder):
    prompts = render_prompts(toy_samples([[0], [1, 2]], [[3], [4, 5]]), toy_items(), decoder)
    assert prompts.schema == SCHEMAS["prompts"]
    assert prompts["sample_id"].to_pylist() == [0, 1]
    assert prompts["target_id"].to_pylist() == [3, 4]
    assert prompts["response"].to_pylist() == [TITLES[3], TITLES[4]]
    assert not any(column.null_count for column in prompts.columns)


def test_decoder_sees_begin_prompt_response_end(decoder):
    row = one(decoder)
    assert row["prompt"] == FULL
    assert read(decoder, row) == (f"<bos> {FULL}", " Star Farm - PC<eos>")
    assert row["input_ids"][: row["prompt_length"]] == decoder(FULL)["input_ids"]


def test_encoder_prompt_is_a_whole_single_sequence(encoder):
    row = one(encoder)
    assert row["input_ids"][: row["prompt_length"]] == encoder(FULL)["input_ids"]
    assert row["input_ids"] == encoder(FULL, TITLES[3])["input_ids"]
    assert read(encoder, row)[1] == "star farm - pc [SEP]"


def test_chat_template_sets_the_border_at_the_generation_prompt(chat):
    row = one(chat)
    asked, answered = read(chat, row)
    assert asked == f"<user> user\n {FULL}<end> \n<user> assistant\n"
    assert answered == " Star Farm - PC<end> \n"
    assert row["prompt"] == FULL, "the table keeps the text before the chat template"


@pytest.mark.parametrize("kind", KINDS)
def test_prompt_never_depends_on_its_target(kind, request):
    tokenizer = request.getfixturevalue(kind)
    histories = [[0, 1, 2, 3, 4] * 3] * len(TITLES)
    targets = [[target] for target in range(len(TITLES))]
    prompts = render_prompts(
        toy_samples(histories, targets), toy_items(), tokenizer, max_tokens=60, max_response_tokens=20
    ).to_pylist()
    users = {}
    for row in prompts:
        seen = (row["prompt"], row["input_ids"][: row["prompt_length"]])
        assert seen == users.setdefault("all", seen)
    assert len({tuple(row["input_ids"]) for row in prompts}) == len(TITLES)


def test_history_length_and_order(decoder):
    assert one(decoder, history_length=2)["prompt"].startswith("Iron Siege; Frost Saga II\n")
    oldest = one(decoder, history_length=2, history_order="oldest_first")
    assert oldest["prompt"].startswith("Frost Saga II; Iron Siege\n")
    assert one(decoder, history=())["prompt"] == "\nNext:\n"
    assert one(decoder, history_length=0)["prompt"] == "\nNext:\n"


def test_templates_read_fields_ratings_and_profiles(decoder):
    templates = PromptTemplates(
        history_item="{{ item.title }}/{{ item.categories | join('>') }}/{{ item.text }}"
        "{% if item.rating is not none %}={{ item.rating }}{% endif %}",
        prompt="{{ user.city }}: {{ history | join(' | ') }}",
        response="{{ target.title }} ({{ target.categories | length }})",
    )
    samples = toy_samples([[0, 0, 5], [5, 0]], [[1], [5]], ratings=[[4.0, None, 2.5], [None, 4.0]])
    users = pa.table({"user_id": [0, 1], "raw_id": ["a", "b"], "city": ["Bonn", "Lima"]})
    prompts = render_prompts(samples, toy_items(), decoder, templates=templates, users=users, max_tokens=256)
    ember, neon = "Ember Rally/Games>PC/Ember Rally for PC", "Neon//Neon for PC"
    assert prompts["prompt"].to_pylist() == [f"Bonn: {neon}=2.5 | {ember} | {ember}=4.0", f"Lima: {ember}=4.0 | {neon}"]
    assert prompts["response"].to_pylist() == ["Frost Saga II (2)", "Neon (0)"]


def test_names_of_special_tokens_in_titles_are_ordinary_text(decoder, encoder):
    titles = ["A <eos> B", "C [SEP] D <bos>", *TITLES]
    samples = toy_samples([[0, 1]], [[1]])
    for tokenizer, special in ((decoder, [1, 2]), (encoder, [2, 3, 3])):
        row = render_prompts(samples, toy_items(titles), tokenizer).to_pylist()[0]
        assert [token for token in row["input_ids"] if token in set(special)] == special


def test_many_blocks_equal_one(decoder, monkeypatch):
    generator = np.random.default_rng(0)
    histories = [generator.integers(0, 6, size=generator.integers(0, 9)).tolist() for _ in range(50)]
    samples = toy_samples(histories, [[int(target)] for target in generator.integers(0, 6, size=50)])
    whole = render_prompts(samples, toy_items(), decoder, max_tokens=64)
    monkeypatch.setattr("coresift.prompting.prompt_table._SAMPLES_AT_ONCE", 7)
    assert render_prompts(samples, toy_items(), decoder, max_tokens=64).combine_chunks() == whole.combine_chunks()


def test_no_samples_give_an_empty_table(decoder):
    prompts = render_prompts(toy_samples([], []), toy_items(), decoder)
    assert len(prompts) == 0
    assert prompts.schema == SCHEMAS["prompts"]
