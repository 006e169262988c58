"""The report is one page that needs nothing else and repeats to the letter."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from evaluation_cases import interactions, noisy_world

from coresift.evaluation import (
    METHODS,
    compare_runs,
    evaluate_rankings,
    evaluate_slices,
    plot_intervals,
    write_report,
)
from coresift.evaluation.summary import METHOD_TITLES, method_title


@pytest.fixture(scope="module")
def document() -> dict:
    users, rankings = noisy_world()
    return evaluate_rankings(rankings, users, n_resamples=50)[0]


def test_it_is_self_contained_and_well_formed(document: dict) -> None:
    page = write_report(document, {"Test users": 60, "Recommender": "<dense>"})
    assert not re.search(r"""(src|href)=["']?(https?:|//|file:)""", page)
    assert "<svg" in page
    assert "&lt;dense&gt;" in page
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list) -> None:
            if tag not in {"meta", "br"}:
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Checker().feed(page)
    assert open_tags == []


def test_it_shows_every_method_and_the_headline(document: dict) -> None:
    page = write_report(document, {})
    assert all(METHOD_TITLES[method] in page for method in METHODS)
    assert f"<strong>{document['rows'][0]['recall@10']['mean']:.4f}</strong>" in page
    assert "History masked" in page
    assert "Nothing masked" in page


def test_equal_metrics_give_an_equal_page(document: dict) -> None:
    assert write_report(document, {"Seed": 1}) == write_report(document, {"Seed": 1})


def test_the_plot_has_a_line_per_method(document: dict) -> None:
    figure = plot_intervals(document)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sorted(labels) == sorted(METHOD_TITLES[method] for method in METHODS)
    assert labels[-1] == "Tuned model"


def test_unknown_methods_keep_their_name() -> None:
    assert method_title("mine") == "mine"
    assert method_title("tuned+prior") == "Tuned model, prior"


def test_slices_priors_and_another_run_have_sections(document: dict) -> None:
    users, rankings = noisy_world()
    log = interactions([(0, item, 0) for item in range(40) for _ in range(6)])
    _, per_user = evaluate_rankings(rankings, users, n_resamples=20)
    slices = evaluate_slices(rankings, users, log, n_resamples=20)
    prior = {"method": "tuned+prior", "weight": 2.0, "smoothing": 0.3, "surrogate_weight": 0.0, "validation_users": 7}
    other = compare_runs(per_user, per_user, n_resamples=20)
    page = write_report(document | {"slices": slices, "priors": [prior], "other_run": other}, {})
    assert "cold, below 5" in page
    assert "2.0 × log(count + 0.3), 7 validation users" in page
    assert "that of another run" in page
    assert "no worse" in page
