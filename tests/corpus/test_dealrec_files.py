"""The files published with DEALRec become raw tables; a file that holds more than arrays is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from coresift.cli import cli
from coresift.corpus import Source, ingest
from coresift.corpus.dealrec_files import convert_dealrec, read_object_array

ITEMS = ["B1", "B2", "B3"]
TITLES = {"1": " Anno&amp;#39;s  2070 ", "2": "Chess; the game", "3": "title_3"}
CATEGORIES = [["PC &amp; Mac", "x" * 61], ["PC"], []]


def publish(folder: Path, **replaced: object) -> Path:
    """Write a tiny corpus in the published layout: 0-d object arrays of one dictionary each."""
    folder.mkdir(exist_ok=True)
    contents = {
        "training_dict": {0: [0, 1], 1: [1]},
        "validation_dict": {0: [2], 1: []},
        "testing_dict": {0: [], 1: [0, 2]},
        "item_map": {raw: item for item, raw in enumerate(ITEMS)},
        "item_map_reverse": dict(enumerate(ITEMS)),
        "title_maps": {
            "recid2title": {int(key) - 1: title for key, title in TITLES.items()},
            "seqid2title": TITLES,
            "item2title": {ITEMS[int(key) - 1]: title for key, title in TITLES.items()},
        },
        "category_map": {
            "item2category": dict(zip(ITEMS, CATEGORIES, strict=True)),
            "seqid2category": {str(item + 1): entries for item, entries in enumerate(CATEGORIES)},
            "recid2category": dict(enumerate(CATEGORIES)),
        },
    }
    for name, content in (contents | replaced).items():
        np.save(folder / f"{name}.npy", np.array(content, dtype=object), allow_pickle=True)
    return folder


class Command:
    """Unpickling this would run a command."""

    def __reduce__(self):
        return os.system, ("touch /tmp/coresift-was-here",)


def test_a_published_corpus_becomes_raw_tables(tmp_path: Path) -> None:
    counts = convert_dealrec(publish(tmp_path / "games"), tmp_path / "raw")
    assert counts == {"users": 2, "items": 3, "interactions": 6}
    assert pq.read_table(tmp_path / "raw/interactions.parquet").to_pydict() == {
        "user_id": [0, 0, 0, 1, 1, 1],
        "item_id": [0, 1, 2, 1, 0, 2],
        "position": [0, 1, 2, 0, 1, 2],
        "split": ["train", "train", "valid", "train", "test", "test"],
    }
    items = pq.read_table(tmp_path / "raw/items.parquet").to_pydict()
    assert items["raw_id"] == ITEMS
    assert items["title"] == list(TITLES.values())
    assert items["title_clean"] == ["Anno's 2070", "Chess; the game", "title_3"]
    assert items["has_title"] == [True, True, False]
    assert items["category"] == [["PC & Mac"], ["PC"], []]
    assert items["category_raw"] == CATEGORIES


def test_ingestion_reads_the_converted_tables(tmp_path: Path) -> None:
    convert_dealrec(publish(tmp_path / "games"), tmp_path)
    sources = [Source(f"raw_{name}", path=str(tmp_path / f"{name}.parquet")) for name in ("interactions", "items")]
    clean = ingest(*sources, Source.empty("raw_users"))
    assert clean.interactions["item_id"].to_pylist() == [0, 1, 2, 1, 0, 2]
    assert clean.interactions["split"].to_pylist() == [0, 0, 1, 0, 2, 2]


def test_a_corpus_without_categories_and_with_the_map_the_other_way_round(tmp_path: Path) -> None:
    folder = publish(tmp_path / "microlens", item_map=dict(enumerate(ITEMS)))
    (folder / "category_map.npy").unlink()
    convert_dealrec(folder, tmp_path)
    items = pq.read_table(tmp_path / "items.parquet")
    assert items["raw_id"].to_pylist() == ITEMS
    assert "category" not in items.column_names


@pytest.mark.parametrize("content", [Command(), {0: Command()}, {0: Path("x")}, {0: np.float64(1)}])
def test_anything_but_arrays_is_refused_before_it_runs(tmp_path: Path, content: object) -> None:
    folder = publish(tmp_path / "games", training_dict=content)
    with pytest.raises(ValueError, match=r"is refused, because it names .*: it may hold nothing but NumPy arrays"):
        convert_dealrec(folder, tmp_path / "raw")
    assert not Path("/tmp/coresift-was-here").exists()
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("name", ["numpy.load", "builtins.eval", "numpy.core.multiarray._reconstruct_"])
def test_the_unpickler_admits_exactly_three_names(tmp_path: Path, name: str) -> None:
    module, attribute = name.rsplit(".", 1)
    header = tmp_path / "header.npy"
    np.save(header, np.array({}, dtype=object), allow_pickle=True)
    start = header.read_bytes().index(b"\n") + 1
    header.write_bytes(header.read_bytes()[:start] + f"c{module}\n{attribute}\n.".encode())
    with pytest.raises(ValueError, match="is refused"):
        read_object_array(header)


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    folder = publish(tmp_path / "games")
    (folder / "testing_dict.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"testing_dict.npy' cannot be read"):
        convert_dealrec(folder, tmp_path)
    np.save(folder / "testing_dict.npy", np.arange(3))
    with pytest.raises(ValueError, match="holds no dictionary"):
        convert_dealrec(folder, tmp_path)
    (folder / "testing_dict.npy").unlink()
    with pytest.raises(ValueError, match="is missing"):
        convert_dealrec(folder, tmp_path)
    (folder / "whole.npy").write_bytes(pickle.dumps({}))
    with pytest.raises(ValueError, match="cannot be read"):
        read_object_array(folder / "whole.npy")


def test_an_item_without_a_title_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="misses item 2"):
        convert_dealrec(publish(tmp_path, title_maps={"seqid2title": {"1": "a", "2": "b"}}), tmp_path / "raw")


def test_the_command_says_what_it_wrote_and_refuses_in_one_sentence(tmp_path: Path) -> None:
    folder = publish(tmp_path / "games")
    done = CliRunner().invoke(cli, ["convert-dealrec", str(folder), str(tmp_path / "raw")])
    assert done.exit_code == 0
    assert "2 users, 3 items, 6 interactions" in done.output
    publish(folder, title_maps=Command())
    refused = CliRunner().invoke(cli, ["convert-dealrec", str(folder), str(tmp_path / "raw")])
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: ") and "is refused" in refused.output


def test_the_published_games_come_back_as_they_are(games_folder: Path, tmp_path: Path) -> None:
    interactions, items = (pq.read_table(games_folder / f"{name}.parquet") for name in ("interactions", "items"))
    columns = interactions.to_pydict()
    users = range(max(columns["user_id"]) + 1)
    splits = {name: {user: [] for user in users} for name in ("train", "valid", "test")}
    for user, item, split in zip(columns["user_id"], columns["item_id"], columns["split"], strict=True):
        splits[split][user].append(item)
    rows = items.to_pydict()
    folder = publish(
        tmp_path / "games",
        training_dict=splits["train"],
        validation_dict=splits["valid"],
        testing_dict=splits["test"],
        item_map=dict(zip(rows["raw_id"], rows["item_id"], strict=True)),
        title_maps={"seqid2title": {str(item + 1): title for item, title in enumerate(rows["title"])}},
        category_map={"recid2category": dict(enumerate(rows["category_raw"]))},
    )
    assert convert_dealrec(folder, tmp_path / "raw") == {"users": 49_156, "items": 17_332, "interactions": 342_329}
    assert pq.read_table(tmp_path / "raw/items.parquet").to_pydict() == rows
    assert pq.read_table(tmp_path / "raw/interactions.parquet").to_pydict() == columns
