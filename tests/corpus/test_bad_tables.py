"""Every fault of the raw data stops with one sentence that names it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from coresift.corpus import Source, ingest

ITEMS = pa.table({"item_id": [1, 2, 3], "title": ["a", "b", "c"]})
LOG = {"user_id": [1, 1, 1, 1], "item_id": [1, 2, 3, 3], "timestamp": [10, 20, 30, 40]}


def run(interactions: dict[str, list[object]] | pa.Table = LOG, items: pa.Table = ITEMS, **options):
    table = interactions if isinstance(interactions, pa.Table) else pa.table(interactions)
    return ingest(
        Source("raw_interactions", table=table),
        Source("raw_items", table=items),
        Source.empty("raw_users"),
        **{"threads": 1, "split": "leave_one_out", "min_history": 0, **options},
    )


def test_the_log_itself_is_sound():
    assert run().samples.num_rows == 3


@pytest.mark.parametrize("missing", ["user_id", "item_id", "timestamp"])
def test_a_missing_column_is_named(missing):
    log = {name: column for name, column in LOG.items() if name != missing}
    with pytest.raises(ValueError, match=f"raw_interactions has no column {missing}"):
        run(log)


def test_a_missing_title_column_is_named():
    with pytest.raises(ValueError, match=r"raw_items has no column title \(it has item_id\)"):
        run(items=ITEMS.drop_columns("title"))


def test_a_missing_user_id_of_profiles_is_named():
    sources = Source("raw_interactions", table=pa.table(LOG)), Source("raw_items", table=ITEMS)
    with pytest.raises(ValueError, match=r"raw_users has no column user_id \(it has name\)"):
        ingest(*sources, Source("raw_users", table=pa.table({"name": ["x"]})))


def test_empty_tables_are_named():
    with pytest.raises(ValueError, match="raw_interactions has no rows"):
        run(pa.table(LOG).slice(0, 0))
    with pytest.raises(ValueError, match="raw_items has no rows"):
        run(items=ITEMS.slice(0, 0))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("timestamp", [True, False, True, True], "timestamp is of type boolean"),
        ("rating", [[1], [2], [3], [4]], "rating is of type array"),
        ("split", [1, 2, 3, 4], "split is of type int64, but must hold text"),
        ("timestamp", ["soon", "later", "x", "y"], "no value of column timestamp can be read .*'later'"),
        ("rating", ["good", None, "bad", "bad"], "no value of column rating can be read .*'bad'"),
    ],
)
def test_a_wrong_type_is_named(column, values, message):
    with pytest.raises(ValueError, match=message):
        run({**LOG, column: values})


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("user_id", [True, False, True, True], "user_id is of type boolean, but must hold numbers or text"),
        ("item_id", [[1], [2], [3], [4]], "item_id is of type array"),
    ],
)
def test_columns_that_name_nobody_are_named(column, values, message):
    with pytest.raises(ValueError, match=f"raw_interactions: column {message}"):
        run({**LOG, column: values})


def test_profiles_whose_ids_name_nobody_are_named():
    sources = Source("raw_interactions", table=pa.table(LOG)), Source("raw_items", table=ITEMS)
    with pytest.raises(ValueError, match="raw_users: column user_id is of type boolean"):
        ingest(*sources, Source("raw_users", table=pa.table({"user_id": [True]})), split="leave_one_out")


def test_wrong_types_of_items_are_named():
    with pytest.raises(ValueError, match="raw_items: column title is of type int64, but must hold text"):
        run(items=pa.table({"item_id": [1], "title": [5]}))
    with pytest.raises(ValueError, match="raw_items: column category is of type array<int64>"):
        run(items=ITEMS.append_column("category", [[[1], [2], [3]]]))


def test_an_unknown_split_value_is_named():
    with pytest.raises(ValueError, match="the split 'dev' in row 2, but only train, valid, test are known"):
        run({**LOG, "split": ["train", "valid", "dev", "test"]}, split="auto")
    for nothing in (None, " ", "NaN"):
        with pytest.raises(ValueError, match="has no split in row 1"):
            run({**LOG, "split": ["train", nothing, "valid", "test"]}, split="given")


def test_names_of_splits_may_have_capitals_and_blanks():
    assert run({**LOG, "split": ["Train", " Valid", "TEST ", "train"]}, split="auto").report["split"] == "given"


def test_a_split_value_does_not_matter_when_the_column_is_not_used():
    assert run({**LOG, "split": ["train", "valid", "dev", "test"]}).samples.num_rows == 3


def test_the_given_split_needs_its_column():
    with pytest.raises(ValueError, match=r"no column split .* ingestion.split = given needs"):
        run(split="given")


@pytest.mark.parametrize("split", ["auto", "global_time"])
def test_positions_cannot_be_split_by_global_time(split):
    log = {"user_id": LOG["user_id"], "item_id": LOG["item_id"], "position": [0, 1, 2, 3]}
    with pytest.raises(ValueError, match=r"positions but no timestamps.*per_user_time or leave_one_out"):
        run(log, split=split)
    assert run(log).samples.num_rows == 3


def test_too_many_rejected_rows_stop_the_run():
    with pytest.raises(ValueError, match=r"2 of 4 rows cannot be used: 2 unknown item_id \(first in row 2\)"):
        run(items=ITEMS.slice(0, 2))


def test_no_validation_users_stop_the_run():
    with pytest.raises(ValueError, match=r"no validation users under ingestion.split = global_time: choose another"):
        run(split="global_time")


@pytest.mark.parametrize("missing", ["test", "valid"])
def test_a_split_that_is_missing_stops_before_anything_is_trained(missing):
    split = ["train", "train", *({"valid", "test"} - {missing}), "train"]
    with pytest.raises(ValueError, match=f"gives no {'test' if missing == 'test' else 'validation'} users under"):
        run({**LOG, "split": split}, split="given")


def test_all_rows_in_one_split_stop_the_run():
    for split, message in (("train", "no validation users"), ("test", "no training sample")):
        with pytest.raises(ValueError, match=message):
            run({**LOG, "split": [split] * 4}, split="given")


def test_no_training_samples_stop_the_run():
    with pytest.raises(ValueError, match="no training sample: no user has a training interaction after 5 others"):
        run(min_history=5)


def test_a_rating_filter_needs_ratings():
    with pytest.raises(ValueError, match=r"no ratings, which ingestion.min_rating needs"):
        run(min_rating=3.0)


def test_a_sliding_window_needs_a_length():
    with pytest.raises(ValueError, match=r"set ingestion.max_history"):
        run(samples="sliding_window")
