"""The report is one page that needs nothing else and repeats to the letter."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from evaluation_cases import noisy_world

from coresift.evaluation import METHODS, evaluate_rankings, plot_intervals, write_report
from coresift.evaluation.labels import METHOD_LABELS, method_label


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
    assert all(METHOD_LABELS[method] in page for method in METHODS)
    assert f"<strong>{document['rows'][0]['recall@10']['mean']:.4f}</strong>" in page
    assert "History masked" in page
    assert "Nothing masked" in page


def test_equal_metrics_give_an_equal_page(document: dict) -> None:
    assert write_report(document, {"Seed": 1}) == write_report(document, {"Seed": 1})


def test_the_plot_has_a_line_per_method(document: dict) -> None:
    figure = plot_intervals(document)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sorted(labels) == sorted(METHOD_LABELS[method] for method in METHODS)
    assert labels[-1] == "Tuned model"


def test_unknown_methods_keep_their_name() -> None:
    assert method_label("tuned+prior") == "tuned+prior"
