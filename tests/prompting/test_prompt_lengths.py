from __future__ import annotations

import pyarrow as pa
import pytest
from toy_samples import TITLES, toy_items, toy_samples
from transformers import ByT5Tokenizer

from coresift.prompting import PromptTemplates, SequenceLayout, render_prompts

LONG = "Velvet " * 60


def prompt_of(history):
    return f"{'; '.join(TITLES[item] for item in reversed(history))}\nNext:\n"


@pytest.mark.parametrize("kind", ["decoder", "encoder", "chat"])
@pytest.mark.parametrize("max_tokens", [48, 60, 75, 90])
def test_as_many_whole_items_as_fit(kind, max_tokens, request):
    """The prompt is the longest that ends on an item's border and fits; one item more would not."""
    tokenizer = request.getfixturevalue(kind)
    layout = SequenceLayout.of(tokenizer)
    history = [5, 4, 3, 2, 1, 0, 3, 2]
    row = render_prompts(
        toy_samples([history], [[1]]), toy_items(), tokenizer, max_tokens=max_tokens, max_response_tokens=24
    ).to_pylist()[0]
    room = max_tokens - 24 - len(layout.before) - len(layout.border)
    fitting = [
        history[start:]
        for start in range(len(history))
        if len(tokenizer(prompt_of(history[start:]), add_special_tokens=False)["input_ids"]) <= room
    ]
    assert row["prompt"] == prompt_of(fitting[0])
    assert row["prompt_length"] <= max_tokens - 24
    assert len(row["input_ids"]) <= max_tokens


@pytest.mark.parametrize("kind", ["decoder", "encoder", "chat"])
def test_single_text_is_cut_as_a_last_resort(kind, request, caplog):
    tokenizer = request.getfixturevalue(kind)
    samples = toy_samples([[5, 0, 1]], [[2]])
    with caplog.at_level("INFO"):
        row = render_prompts(
            samples, toy_items([TITLES[0], LONG, *TITLES[2:]]), tokenizer, max_tokens=64, max_response_tokens=20
        ).to_pylist()[0]
    start, _, end = row["prompt"].partition("Velvet")
    assert start == ""
    assert end.endswith("Velvet\nNext:\n")
    assert 64 - 20 - 3 <= row["prompt_length"] <= 64 - 20, "no more is cut than needed"
    assert "1 lost their oldest items, 1 had a single text cut, 0 responses were cut" in caplog.text


@pytest.mark.parametrize("kind", ["decoder", "encoder", "chat"])
def test_response_is_cut_before_its_end(kind, request, caplog):
    tokenizer = request.getfixturevalue(kind)
    layout = SequenceLayout.of(tokenizer)
    with caplog.at_level("INFO"):
        row = render_prompts(
            toy_samples([[0]], [[1]]), toy_items([TITLES[0], LONG, *TITLES[2:]]), tokenizer, max_response_tokens=10
        ).to_pylist()[0]
    response = row["input_ids"][row["prompt_length"] :]
    assert len(response) == 10
    assert tuple(response[-len(layout.end) :]) == layout.end
    assert row["response"] == LONG, "the text stays whole"
    assert "1 responses were cut" in caplog.text


def test_template_that_leaves_no_room(decoder):
    templates = PromptTemplates(prompt="Velvet " * 40 + "{{ history | join }}")
    with pytest.raises(ValueError, match=r"max_tokens leaves \d+ tokens to a prompt, but the template alone takes \d+"):
        render_prompts(toy_samples([[0]], [[1]]), toy_items(), decoder, templates=templates, max_tokens=64)


def test_lengths_that_cannot_be(decoder, encoder):
    samples, items = toy_samples([[0]], [[1]]), toy_items()
    with pytest.raises(ValueError, match="max_tokens is 300, but the model reads at most 256: lower it"):
        render_prompts(samples, items, decoder, max_tokens=300)
    with pytest.raises(ValueError, match="max_tokens 10 and max_response_tokens 8 leave no room"):
        render_prompts(samples, items, encoder, max_tokens=10, max_response_tokens=8)
    with pytest.raises(ValueError, match="leave no room"):
        render_prompts(samples, items, encoder, max_tokens=40, max_response_tokens=1)


def test_a_tokenizer_without_offsets_cuts_a_text_too():
    (row,) = render_prompts(
        toy_samples([[0, 1]], [[2]]), toy_items([TITLES[0], LONG, *TITLES[2:]]), ByT5Tokenizer(), max_tokens=128
    ).to_pylist()
    assert row["prompt"].startswith("Velvet Velvet")
    assert row["prompt"].endswith("\nNext:\n")
    assert 128 - 32 - 8 <= row["prompt_length"] <= 128 - 32


@pytest.mark.parametrize("kind", ["decoder", "encoder", "chat"])
def test_the_names_of_control_tokens_are_text_wherever_they_stand(kind, request):
    tokenizer = request.getfixturevalue(kind)
    control = tokenizer.all_special_tokens
    titles = [f"Neon {name} Saga {name}" for name in control]
    items = toy_items([*titles, *TITLES])
    templates = PromptTemplates(prompt=" ".join(control) + " {{ user.about }} {{ history | join('; ') }}")
    users = pa.table({"user_id": pa.array([0, 1], pa.int32()), "about": [" ".join(control)] * 2})
    samples = toy_samples([list(range(len(control)))], [[0]])
    row = render_prompts(samples, items, tokenizer, templates=templates, users=users, max_tokens=256).to_pylist()[0]
    layout, unknown = SequenceLayout.of(tokenizer), tokenizer.unk_token_id
    own = [*layout.before, *layout.border, *layout.end]
    ids = {tokenizer.convert_tokens_to_ids(name) for name in control} - {unknown}
    assert [token for token in row["input_ids"] if token in ids] == [token for token in own if token in ids]
