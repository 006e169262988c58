"""Amazon reviews of every release, in small files written as their sites describe."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from coresift.corpus import Source, ingest

REVIEWS_2014 = [
    {
        "reviewerID": "A2SUAM1J3GNN3B",
        "asin": "0000013714",
        "reviewerName": "J. McDonald",
        "helpful": [2, 3],
        "reviewText": "I bought this for my husband who plays the piano.",
        "overall": 5.0,
        "summary": "Heavenly Highway Hymns",
        "unixReviewTime": 1252800000,
        "reviewTime": "09 13, 2009",
    }
]
META_2014 = {
    "asin": "0000013714",
    "title": "Girls' Ballet Tutu &amp; more",
    "price": 3.17,
    "imUrl": "http://ecx.images-amazon.com/images/I/51fAmVkTbyL._SY300_.jpg",
    "related": {"also_bought": ["B00JHONN1S"]},
    "salesRank": {"Toys & Games": 211836},
    "brand": "Coxlures",
    "categories": [["Sports & Outdoors", "Other Sports", "Dance"], ["Clothing"]],
}
REVIEW_2018 = {
    "image": ["https://images-na.ssl-images-amazon.com/images/I/71eG75FTJJL._SY88.jpg"],
    "overall": 5.0,
    "vote": "2",
    "verified": True,
    "reviewTime": "01 1, 2018",
    "reviewerID": "AUI6WTTT0QZYS",
    "asin": "5120053084",
    "style": {"Size:": "Large"},
    "reviewerName": "Abbey",
    "reviewText": "I now have 4 of the 5 available colors.",
    "summary": "Comfy, flattering",
    "unixReviewTime": 1514764800,
}
META_2018 = {"asin": "5120053084", "title": "Tutu", "category": ["Clothing", "Women"], "price": "$7.50"}
REVIEW_2023 = {
    "rating": 5.0,
    "title": "Such a lovely scent",
    "text": "This spray is really nice.",
    "images": [],
    "asin": "B00YQ6X8EO",
    "parent_asin": "B00PARENT1",
    "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ",
    "timestamp": 1588687728923,
    "helpful_vote": 0,
    "verified_purchase": True,
}
META_2023 = {
    "main_category": "All Beauty",
    "title": "Howard LC0008",
    "average_rating": 4.8,
    "categories": ["Beauty", "Hair"],
    "store": None,
    "details": {"Package Dimensions": "7.1 x 5.5"},
    "parent_asin": "B00PARENT1",
}


def read(folder: Path, **options):
    sources = [
        Source(f"raw_{part}", path=str(folder), format="amazon", part=part)
        for part in ("interactions", "items", "users")
    ]
    return ingest(*sources, **{"split": "leave_one_out", "min_history": 0, "threads": 1, **options})


def written(folder: Path, reviews: list[dict], metadata: list[dict], *, name: str, loose: bool, packed: bool) -> Path:
    """Write the two files of a release: strict JSON or printed dictionaries, compressed or not."""
    for file, rows in ((name, reviews), (f"meta_{name}", metadata)):
        lines = "\n".join(repr(row) if loose else json.dumps(row) for row in rows) + "\n"
        content = lines.encode()
        (folder / (file + ".gz" if packed else file)).write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "review", "metadata", "user", "time", "loose", "path"),
    [
        ("reviews_Toys.json", REVIEWS_2014[0], META_2014, "reviewerID", "unixReviewTime", True, "Sports & Outdoors"),
        ("reviews_Toys.json", REVIEWS_2014[0], META_2014, "reviewerID", "unixReviewTime", False, "Sports & Outdoors"),
        ("Fashion.json", REVIEW_2018, META_2018, "reviewerID", "unixReviewTime", False, "Clothing"),
        ("All_Beauty.jsonl", REVIEW_2023, META_2023, "user_id", "timestamp", False, "Beauty"),
    ],
)
def test_every_release_is_read(tmp_path, name, review, metadata, user, time, loose, path, packed):
    key = "parent_asin" if "parent_asin" in metadata else "asin"
    products = [{**metadata, key: metadata[key] + end, "title": f"{metadata['title']} {end}"} for end in "abcd"]
    reviews = [
        {**review, key: metadata[key] + end, user: review[user] + who, time: review[time] + place}
        for who in ("", "z")
        for place, end in enumerate("abcd")
    ]
    corpus = read(written(tmp_path, reviews, products, name=name, loose=loose, packed=packed))
    assert (corpus.interactions.num_rows, corpus.users.num_rows, corpus.items.num_rows) == (8, 2, 4)
    assert corpus.interactions["rating"].to_pylist() == [5.0] * 8
    milliseconds = review[time] if time == "timestamp" else review[time] * 1000
    assert corpus.interactions["timestamp"].to_pylist()[0] == milliseconds
    assert corpus.items["title"].to_pylist()[0] == f"{metadata['title']} a".replace("&amp;", "&")
    assert corpus.items["categories"].to_pylist()[0][0] == path
    assert corpus.rejected_rows.num_rows == 0


def test_lines_that_hold_no_object_are_set_apart(tmp_path):
    good = [json.dumps({**REVIEW_2018, "reviewerID": user, "asin": item}) for user in "ab" for item in "123"]
    (tmp_path / "Fashion.json").write_text("\n".join([good[0], good[1][:40], *good[1:], "[1, 2]", "", "null"]))
    (tmp_path / "meta_Fashion.json").write_text("\n".join(json.dumps({**META_2018, "asin": item}) for item in "123"))
    corpus = read(tmp_path, max_rejected_share=0.5)
    rows = [(row["row"], row["reason"]) for row in corpus.rejected_rows.to_pylist()]
    assert rows == [(1, "unreadable line"), (7, "unreadable line"), (8, "unreadable line")]
    assert corpus.interactions.num_rows == 6


def test_metadata_that_repeats_an_item_do_not_stop_the_run(tmp_path):
    reviews = [{**REVIEW_2018, "reviewerID": user, "asin": item} for user in "ab" for item in "123"]
    metadata = [{**META_2018, "asin": item} for item in "123123"]
    corpus = read(written(tmp_path, reviews, metadata, name="Fashion.json", loose=False, packed=False))
    assert corpus.report["rejected"]["raw_items"] == {"repeated item_id": 3}


def test_a_folder_with_two_files_of_reviews_is_named(tmp_path):
    for name in ("Toys.json", "Games.json", "meta_Toys.json"):
        (tmp_path / name).write_text(json.dumps(META_2018))
    with pytest.raises(ValueError, match=r"raw_interactions .*there are 2 files of reviews .* give its path"):
        read(tmp_path)
