from __future__ import annotations

import pyarrow as pa
import pytest
from toy_samples import toy_items, toy_samples

from coresift.prompting import ClickTemplates, render_prompts


def clicks(histories, ratings, targets, labels):
    samples = toy_samples(histories, targets, ratings)
    place = samples.column_names.index("label")
    return samples.set_column(place, "label", pa.array(labels, pa.int8()))


def rendered(tokenizer, samples, **options):
    templates = options.pop("templates", ClickTemplates())
    return render_prompts(samples, toy_items(), tokenizer, templates=templates, **options).to_pylist()


def test_history_is_split_by_rating_and_the_label_is_the_answer(decoder):
    samples = clicks([[0, 1, 2], [3]], [[5.0, 2.0, None], [4.0]], [[4], [5]], [1, 0])
    first, second = rendered(decoder, samples)
    assert first["prompt"] == (
        "Liked: Iron Siege; Ember Rally\nDisliked: Frost Saga II\nLikes Velvet Cup: The Long Way Home Again?\n"
    )
    assert second["prompt"] == "Liked: Star Farm - PC\nDisliked: \nLikes Neon?\n"
    assert [row["response"] for row in (first, second)] == ["Yes", "No"]
    assert [len(row["input_ids"]) - row["prompt_length"] for row in (first, second)] == [2, 2]


def test_lists_follow_the_order_and_length_asked_for(decoder):
    samples = clicks([[0, 1, 2, 3]], [[5.0, 5.0, 1.0, 5.0]], [[4]], [1])
    (row,) = rendered(decoder, samples, history_order="oldest_first", history_length=3)
    assert row["prompt"].startswith("Liked: Frost Saga II; Star Farm - PC\nDisliked: Iron Siege\n")


def test_a_long_prompt_loses_its_oldest_items_but_never_the_candidate(decoder):
    samples = clicks([[4, 4, 4, 4]], [[5.0, 1.0, 5.0, 1.0]], [[4]], [1])
    (row,) = rendered(decoder, samples, max_tokens=64, max_response_tokens=8)
    assert row["prompt_length"] <= 56
    assert row["prompt"].count("Velvet Cup") < 5
    assert row["prompt"].endswith("Likes Velvet Cup: The Long Way Home Again?\n")


def test_words_and_answers_are_the_user_s(decoder):
    templates = ClickTemplates(prompt="{{ user.raw_id }}? {{ candidate.text }}", answers=("A", "B"), like_rating=2.0)
    samples = clicks([[0]], [[3.0]], [[5]], [0])
    users = pa.table({"user_id": pa.array([0], pa.int32()), "raw_id": ["u"]})
    (row,) = rendered(decoder, samples, templates=templates, users=users)
    assert (row["prompt"], row["response"]) == ("u? Neon for PC", "B")


def test_a_wrong_variable_names_the_section(decoder):
    with pytest.raises(ValueError, match=r"click_templates.prompt reads 'target', .* liked, disliked, candidate, user"):
        rendered(decoder, clicks([[0]], [[3.0]], [[5]], [0]), templates=ClickTemplates(prompt="{{ target }}"))


def test_a_page_of_text_as_a_candidate_or_profile_is_cut_and_the_history_stays(decoder):
    long = "Velvet " * 400
    samples = clicks([[0, 1]], [[5.0, 1.0]], [[5]], [1])
    users = pa.table({"user_id": pa.array([0, 1], pa.int32()), "about": [long, "short"]})
    templates = ClickTemplates(
        prompt="{{ user.about }}|{{ liked | join }}|{{ disliked | join }}|{{ candidate.title }}?"
    )
    options = {"templates": templates, "users": users, "max_tokens": 96, "max_response_tokens": 12}
    items = toy_items([*toy_items()["title"].to_pylist()[:5], long])
    (row,) = render_prompts(samples, items, decoder, **options).to_pylist()
    about, liked, disliked, candidate = row["prompt"].split("|")
    assert (liked, disliked) == ("Ember Rally", "Frost Saga II")
    assert 0 < len(about) < 12 * len("Velvet ")
    assert long.startswith(candidate[:-1])
    assert row["prompt_length"] <= 96 - 12
