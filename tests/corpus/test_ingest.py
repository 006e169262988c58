from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from coresift.corpus import Source, embedded_corpus, ingest
from coresift.storage import SCHEMAS

ITEMS = [
    {"item_id": "b", "title": " Salt &amp;  Cinders ", "category": ["Games", "PC &amp; Mac"], "extra": 1},
    {"item_id": "a", "title": None, "category": None, "extra": 2},
    {"item_id": "c", "title": "Never bought", "category": [], "extra": 3},
]


def clicks(*pairs: tuple[object, object]) -> list[dict[str, object]]:
    return [{"user_id": user, "item_id": item, "timestamp": 1000 + row} for row, (user, item) in enumerate(pairs)]


def leave_one_out(ingest_rows, interactions, *args, **options):
    """Ingest beside one user who has enough for every split."""
    filler = [{**interactions[0], "user_id": "zz", "item_id": item} for item in ("f1", "f2", "f3", "f4")]
    items = [{"item_id": item, "title": item} for item in ("f1", "f2", "f3", "f4")]
    given, *rest = args or ([],)
    return ingest_rows(interactions + filler, given + items, *rest, split="leave_one_out", **options)


def test_items_are_cleaned_numbered_and_never_dropped(ingest_rows):
    corpus = leave_one_out(ingest_rows, clicks(("u", "b")), ITEMS)
    assert corpus.items.to_pylist()[:3] == [
        {"item_id": 0, "raw_id": "a", "title": "Item a", "categories": [], "text": "Item a"},
        {
            "item_id": 1,
            "raw_id": "b",
            "title": "Salt & Cinders",
            "categories": ["Games", "PC & Mac"],
            "text": "Salt & Cinders",
        },
        {"item_id": 2, "raw_id": "c", "title": "Never bought", "categories": [], "text": "Never bought"},
    ]
    assert corpus.report["catalogue"] == {"items": 7, "items_without_title": 1, "users": 2}


def test_the_text_of_an_item_may_name_its_category(ingest_rows):
    corpus = leave_one_out(ingest_rows, clicks(("u", "b")), ITEMS, item_text="title_and_category")
    assert corpus.items["text"].to_pylist()[:3] == ["Item a", "Salt & Cinders (PC & Mac)", "Never bought"]


def test_numeric_ids_are_numbered_by_value_and_text_by_its_letters(ingest_rows, sequences):
    numeric = ingest_rows(sequences({10: [1, 2, 30, 4], 9: [30, 4, 1]}), split="leave_one_out")
    assert numeric.items["raw_id"].to_pylist() == ["1", "2", "4", "30"]
    assert numeric.users["raw_id"].to_pylist() == ["9", "10"]
    text = ingest_rows(sequences({"10": ["1", "2", "30", "4"], "9": ["30", "4", "1"]}), split="leave_one_out")
    assert text.items["raw_id"].to_pylist() == ["1", "2", "30", "4"]
    assert text.users["raw_id"].to_pylist() == ["10", "9"]


def test_users_carry_their_profiles(ingest_rows, sequences):
    users = [{"user_id": "v", "age": 30, "raw_id": "x"}, {"user_id": "silent", "age": 50, "raw_id": "y"}]
    corpus = ingest_rows(sequences({"u": [1, 2, 3, 4], "v": [1, 2, 3]}), users=users, split="leave_one_out")
    assert corpus.users.to_pylist() == [
        {"user_id": 0, "raw_id": "u", "age": None},
        {"user_id": 1, "raw_id": "v", "age": 30},
    ]


def test_unusable_rows_are_set_apart_with_a_reason(ingest_rows):
    rows = clicks(("u", "b"), (None, "b"), ("u", None), ("u", "gone"), ("u", "a"), ("u", "c"))
    rows[4]["timestamp"] = None
    rows = [{**row, "rating": rating} for row, rating in zip(rows, ["5", "4", "3", "2", "1", "bad"], strict=True)]
    corpus = leave_one_out(ingest_rows, rows, [*ITEMS, {"item_id": "a", "title": "again"}])
    assert corpus.rejected_rows.to_pylist() == [
        {"source": "raw_interactions", "row": 1, "reason": "missing user_id"},
        {"source": "raw_interactions", "row": 2, "reason": "missing item_id"},
        {"source": "raw_interactions", "row": 3, "reason": "unknown item_id"},
        {"source": "raw_interactions", "row": 4, "reason": "missing timestamp"},
        {"source": "raw_interactions", "row": 5, "reason": "unreadable rating"},
        {"source": "raw_items", "row": 3, "reason": "duplicate item_id"},
    ]
    assert corpus.report["rejected"]["raw_items"] == {"duplicate item_id": 1}
    assert corpus.report["rows"] == {"read": 10, "usable": 5, "without_repeats": 5}


def test_the_first_of_repeated_interactions_counts(ingest_rows):
    rows = clicks(("u", "x"), ("u", "y"), ("u", "x"), ("u", "y"), ("u", "z"))
    rows[2]["timestamp"] = 1  # before all others, although later in the file
    rows[3]["timestamp"] = rows[1]["timestamp"]
    rated = [{**row, "rating": number} for number, row in enumerate(rows)]
    corpus = ingest_rows(rated, split="leave_one_out", min_history=0)
    assert corpus.interactions["rating"].to_pylist() == [2.0, 1.0, 4.0]
    assert corpus.interactions["position"].to_pylist() == [0, 1, 2]


def test_an_interaction_that_is_filtered_out_hides_no_later_one(ingest_rows):
    early, late = 1_000_000_000, 1_500_000_000
    rows = [
        {"user_id": "u", "item_id": "w", "timestamp": early, "rating": 1.0},
        *({"user_id": "u", "item_id": item, "timestamp": late, "rating": 5.0} for item in "wxyzz"),
    ]
    for filtered in ({"min_rating": 4.0}, {"from_time": "2010-01-01"}):
        corpus = ingest_rows(rows, split="leave_one_out", **filtered)
        assert corpus.interactions["rating"].to_pylist() == [5.0] * 4
        counts = corpus.report["rows"]
        assert list(counts.values()) == [6, 6, 5, 4]
        assert list(counts)[-1] == "without_repeats"


def test_low_and_absent_ratings_can_be_dropped(ingest_rows):
    rows = clicks(*(("u", item) for item in "abcde"))
    rated = [{**row, "rating": rating} for row, rating in zip(rows, [5, 3, 4, None, 4], strict=True)]
    corpus = ingest_rows(rated, min_rating=4.0, split="leave_one_out", min_history=0)
    assert corpus.interactions["rating"].to_pylist() == [5.0, 4.0, 4.0]
    assert corpus.items.num_rows == 5
    assert corpus.report["rows"]["rated_well"] == 3


def test_the_k_core_is_found_by_repeated_dropping(ingest_rows, sequences):
    corner = {"u": [1, 2, 3], "v": [1, 2, 3], "w": [1, 2, 3]}
    chain = {"x": [1, 2, 4], "y": [4, 5, 6], "z": [5, 6, 7]}
    corpus = ingest_rows(sequences({**corner, **chain}), k_core=3, split="leave_one_out", min_history=0)
    assert corpus.users["raw_id"].to_pylist() == ["u", "v", "w"]
    assert corpus.interactions.num_rows == 9
    assert corpus.items.num_rows == 7
    assert corpus.report["rows"]["in_k_core"] == 9


def test_profiles_keep_columns_whatever_their_names(ingest_rows, sequences):
    profile = {"user": "Ann", "reason": "gift", "user_right": "x", "source_row": 7, "source_fault": "none"}
    corpus = ingest_rows(sequences({"u": [1, 2, 3, 4]}), users=[{"user_id": "u", **profile}], split="leave_one_out")
    assert corpus.users.to_pylist() == [{"user_id": 0, "raw_id": "u", **profile}]
    assert corpus.rejected_rows.num_rows == 0


def test_ids_match_across_types(ingest_rows, sequences):
    rows = [{**row, "item_id": float(row["item_id"])} for row in sequences({"u": [1, 2, 3], "v": [3, 2, 1]})]
    items = [{"item_id": item, "title": "t"} for item in (1, 2, 3)]
    corpus = ingest_rows(rows, items, split="leave_one_out", min_history=0)
    assert corpus.interactions.num_rows == 6


def test_arrow_types_of_other_tools_are_read(sequences):
    table = pa.Table.from_pylist(sequences({"u": ["a", "b", "c", "d"]}))
    table = table.append_column("position", pa.nulls(4))
    table = table.append_column("split", pa.array(["train", "train", "valid", "test"]).dictionary_encode())
    table = table.set_column(1, "item_id", table["item_id"].cast(pa.large_string()))
    items = pa.table({"item_id": pa.array(["a", "b", "c", "d"]).dictionary_encode(), "title": pa.nulls(4)})
    corpus = ingest(Source("i", table=table), Source("t", table=items), Source.empty("u"), max_rejected_share=0)
    assert corpus.interactions["split"].to_pylist() == [0, 0, 1, 2]
    assert corpus.items["title"].to_pylist() == ["Item a", "Item b", "Item c", "Item d"]


def test_the_embedded_corpus_satisfies_the_contracts():
    raw = embedded_corpus(n_users=200, n_items=120)
    corpus = ingest(*(Source(f"raw_{name}", table=getattr(raw, name)) for name in ("interactions", "items", "users")))
    for name in ("interactions", "items", "samples", "rejected_rows"):
        assert getattr(corpus, name).schema.equals(SCHEMAS[name])
    assert corpus.users.column_names == ["user_id", "raw_id", "favourite_platform", "signup_month"]
    broken = raw.truth.filter(pc.equal(raw.truth["kind"], "broken"))["row"]
    assert corpus.rejected_rows["row"].to_pylist() == broken.to_pylist()
    assert corpus.report["rows"]["without_repeats"] == corpus.interactions.num_rows
    for name in ("items", "users", "samples"):
        ids = getattr(corpus, name)[f"{name[:-1]}_id"].to_pylist()
        assert ids == list(range(len(ids)))


def test_the_number_of_threads_changes_nothing():
    raw = embedded_corpus(n_users=200, n_items=120)
    sources = [Source(f"raw_{name}", table=getattr(raw, name)) for name in ("interactions", "items", "users")]
    one, two = (ingest(*sources, threads=threads, samples="all_prefixes") for threads in (1, 2))
    for name in ("interactions", "items", "users", "samples", "rejected_rows"):
        assert getattr(one, name).equals(getattr(two, name))
    assert one.report == two.report


@pytest.mark.parametrize("unit", ["s", "us"])
def test_the_unit_of_timestamps_can_be_given(ingest_rows, unit):
    corpus = ingest_rows(
        clicks(*(("u", item) for item in "abc")), timestamp_unit=unit, split="leave_one_out", min_history=0
    )
    assert corpus.report["timestamp_unit"] == unit
    assert corpus.interactions["timestamp"].to_pylist() == (
        [1_000_000, 1_001_000, 1_002_000] if unit == "s" else [1, 1, 1]
    )
