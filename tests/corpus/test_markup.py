"""Markup is no part of a title, and a script is none."""

from __future__ import annotations

import pytest

from coresift.corpus.spelling.values import clean_text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<b>Toy</b>s &amp; Games", "Toys & Games"),
        ("Toy<br/>Car", "Toy Car"),
        ("&lt;i&gt;Dune&lt;/i&gt; (Book 1)", "Dune (Book 1)"),
        ("&amp;lt;p class=&amp;quot;x&amp;quot;&amp;gt;Dune", "Dune"),
        ("<span style='a: b'>Car</SPAN>", "Car"),
        ("<!-- hidden -->Car", "Car"),
        ("<style>.a { color: red; }</style>Car", "Car"),
        ("<script>var a = 1;</script> Car <script src='x'>", "Car"),
        ('Car <a href="http://shop', "Car"),
        ('<script type="text/javascript">' + "var start = (new Date()).getTime();" * 20, ""),
        ("var aPageStart = (new Date()).getTime();", ""),
        ("function() { return this; }", ""),
        ("#nav { display: none; } a { color: red; }", ""),
    ],
)
def test_markup_goes_and_a_script_leaves_nothing(text, left):
    assert clean_text(text) == left


@pytest.mark.parametrize(
    "title",
    [
        "I <3 NY",
        "A < B > C",
        "Mario <eos> Kart </s> <s>",
        "<|im_start|> [SEP] <pad>",
        "Function (Deluxe) {2018}",
        "{Deluxe: Edition}",
        "Let x = y",
        "JavaScript: The Good Parts; var and const",
        "<>",
    ],
)
def test_what_only_looks_like_it_stays(title):
    assert clean_text(title) == title


def test_an_item_whose_title_is_a_script_has_none(ingest_rows, sequences):
    titles = {1: "<script>x()</script>", 2: "var aPageStart = (new Date()).getTime();", 3: "<b>Dune</b>", 4: "Ember"}
    items = [{"item_id": item, "title": title} for item, title in titles.items()]
    corpus = ingest_rows(sequences({1: [1, 2, 3, 4], 2: [4, 3, 2, 1]}), items, split="leave_one_out")
    assert corpus.items["title"].to_pylist() == ["Item 1", "Item 2", "Dune", "Ember"]
    assert corpus.report["catalogue"]["items_without_title"] == 2
