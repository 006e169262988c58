"""A click prompt reads the items most like its candidate, in time order; a ranking prompt never knows its target."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from coresift.prompting import ClickTemplates, PromptTemplates, render_prompts
from coresift.prompting.retrieval import similar_histories
from coresift.storage import SCHEMAS

VECTORS = torch.tensor([[1.0, 0], [0.9, 0.1], [0, 5.0], [0.1, 1.0], [3.0, 0.1], [0, 0]])


def samples_of(histories, targets):
    count = len(histories)
    columns = [
        range(count),
        [0] * count,
        histories,
        [[float(item) for item in history] for history in histories],
        [[target] for target in targets],
        [1] * count,
        [None] * count,
        [0] * count,
    ]
    return pa.table(dict(zip(SCHEMAS["samples"].names, columns, strict=True)), schema=SCHEMAS["samples"])


def test_the_most_similar_items_stay_in_time_order():
    samples = samples_of([[4, 2, 3, 0, 1], [2, 3, 5], [], [5, 5]], [0, 2, 1, 0])
    found = similar_histories(samples, VECTORS, longest=3)
    assert found["history"].to_pylist() == [[4, 0, 1], [2, 3, 5], [], [5, 5]]
    assert found["history_ratings"].to_pylist() == [[4, 0, 1], [2, 3, 5], [], [5, 5]]
    assert similar_histories(samples, VECTORS, longest=1)["history"].to_pylist() == [[0], [2], [], [5]]
    assert found.schema == samples.schema
    assert found.drop_columns(["history", "history_ratings"]) == samples.drop_columns(["history", "history_ratings"])


def test_retrieval_equals_a_plain_search():
    draw = np.random.default_rng(0)
    vectors = torch.from_numpy(draw.normal(size=(50, 8))).float()
    histories = [draw.integers(50, size=draw.integers(12)).tolist() for _ in range(40)]
    targets = draw.integers(50, size=40).tolist()
    found = similar_histories(samples_of(histories, targets), vectors, longest=4)["history"].to_pylist()
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    for history, target, kept in zip(histories, targets, found, strict=True):
        likeness = [float(unit[item] @ unit[target]) for item in history]
        best = sorted(range(len(history)), key=lambda place: (-likeness[place], -place))[:4]
        assert kept == [history[place] for place in sorted(best)]


@pytest.fixture
def items():
    titles = [f"Item{number}" for number in range(6)]
    columns = [range(6), titles, titles, [None] * 6, titles]
    return pa.table(dict(zip(SCHEMAS["items"].names, columns, strict=True)), schema=SCHEMAS["items"])


def test_a_click_prompt_shows_what_is_like_its_candidate(items, decoder):
    samples = samples_of([[4, 2, 3, 0, 1], [4, 2, 3, 0, 1]], [0, 2])
    templates = ClickTemplates(prompt="{{ liked | join(' ') }}|{{ disliked | join(' ') }}?", like_rating=3)
    options = {"history_length": 2, "history_order": "oldest_first", "item_text_vectors": VECTORS}
    similar = render_prompts(samples, items, decoder, templates=templates, history_choice="similar", **options)
    assert similar["prompt"].to_pylist() == ["Item4|Item0?", "Item3|Item2?"]
    recent = render_prompts(samples, items, decoder, templates=templates, **options)
    assert recent["prompt"].to_pylist() == ["|Item0 Item1?", "|Item0 Item1?"]


def test_a_ranking_prompt_does_not_change_with_its_target(items, decoder):
    histories = [[4, 2, 3], [0, 1], []]
    first = render_prompts(samples_of(histories, [0, 2, 1]), items, decoder, max_tokens=24, max_response_tokens=8)
    other = render_prompts(samples_of(histories, [5, 4, 3]), items, decoder, max_tokens=24, max_response_tokens=8)
    assert first["prompt"] == other["prompt"] and first["response"] != other["response"]
    lengths = first["prompt_length"].to_pylist()
    assert lengths == other["prompt_length"].to_pylist()
    for one, two, length in zip(first["input_ids"].to_pylist(), other["input_ids"].to_pylist(), lengths, strict=True):
        assert one[:length] == two[:length]
    with pytest.raises(ValueError, match="a prompt that asks for the next item would depend on it: use recent"):
        render_prompts(
            samples_of(histories, [0, 2, 1]),
            items,
            decoder,
            templates=PromptTemplates(),
            history_choice="similar",
            item_text_vectors=VECTORS,
        )


def test_similar_items_need_vectors(items, decoder):
    with pytest.raises(ValueError, match="needs item_text_vectors"):
        render_prompts(samples_of([[1]], [0]), items, decoder, templates=ClickTemplates(), history_choice="similar")
