"""The files published with DEALRec become raw tables; a file that holds more than arrays is refused."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from numpy._core.multiarray import _reconstruct

from coresift.cli import cli
from coresift.corpus import Source, ingest
from coresift.corpus.formats.dealrec_files import convert_dealrec
from coresift.corpus.formats.object_arrays import read_object_array

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


class Rebuilt:
    """Pickles as a call with arguments, and as a state to complete what the call made with."""

    def __init__(self, *reduced: object) -> None:
        self._reduced = reduced

    def __reduce__(self):
        return self._reduced


def dtype(code: str, state: object) -> Rebuilt:
    return Rebuilt(np.dtype, (code, False, True), state)


def array(shape: object, kind: object, values: object) -> Rebuilt:
    return Rebuilt(_reconstruct, (np.ndarray, (0,), b"b"), (1, shape, kind, False, values))


OBJECTS = (3, "|", None, None, None, -1, -1, 63)
NUMBERS = (3, "<", None, None, None, -1, -1, 0)
POINTERS = (0x4141414141414141).to_bytes(8, "little")


@pytest.mark.parametrize(
    "content",
    [
        array((1,), dtype("O8", NUMBERS), POINTERS),
        array((1,), dtype("O8", OBJECTS), POINTERS),
        array((1,), dtype("O8", (*OBJECTS[:-1], 0)), POINTERS),
        array((1,), dtype("i8", OBJECTS), [1]),
        array((1,), dtype("i8", (3, "<", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 8, 0)), POINTERS),
        array((1,), dtype("i8", (3, "<", (np.dtype("O"), (1,)), None, None, -1, -1, 0)), POINTERS),
        array((1 << 40,), dtype("i8", NUMBERS), POINTERS),
        array((-1,), dtype("i8", NUMBERS), POINTERS),
        array((1, 1), dtype("O8", OBJECTS), [1]),
        array((2,), dtype("O8", OBJECTS), [1]),
        array((1,), dtype("V8", (3, "|", None, None, None, 8, 1, 0)), POINTERS),
        array((1,), np.dtype("i8"), "x"),
        array(((1,),), np.dtype("i8"), POINTERS),
        array((1,), "O8", [1]),
        Rebuilt(np.ndarray, ((1,), np.dtype("O"), POINTERS)),
        Rebuilt(np.dtype, ([("a", "O")],)),
        Rebuilt(np.dtype, ("O8", False, True), OBJECTS),
        Rebuilt(_reconstruct, (np.ndarray, (1 << 40,), b"O")),
        np.ndarray,
        np.arange(4).reshape(2, 2),
        {(1, 2): 3},
        {1.5: 3},
        {1, 2},
        bytearray(8),
        np.array([1 + 2j]),
        np.array(["2020-01-01"], "M8[D]"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_that_are_not_plain_are_refused_and_never_built(tmp_path: Path, content: object, protocol: int) -> None:
    whole = array((), np.dtype("O"), [{0: content}])
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    (tmp_path / "t.npy").write_bytes(header.getvalue() + pickle.dumps(whole, protocol=protocol))
    with pytest.raises(ValueError, match=r"t.npy' (is refused, because|cannot be read)"):
        read_object_array(tmp_path / "t.npy")


@pytest.mark.parametrize(
    "instructions",
    [
        b"r\xff\xff\xff\xff.",  # remembers at a place far away
        b"}" + b"Nr\xff\xff\xff\xff.",
        b"}b.",
        b"t.",
        b"(u.",
        b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fab.",
        b"P0\n.",
        b"\x82\x01.",
        b")" + b"\x94h\x00\x86\x94" * 1 + b"".join(b"h%c" % n * 2 + b"\x86\x94" for n in range(1, 60)) + b"N}s.",
    ],
)
def test_instructions_that_build_no_plain_value_end_well(tmp_path: Path, instructions: bytes) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    (tmp_path / "t.npy").write_bytes(header.getvalue() + instructions)
    with pytest.raises(ValueError, match=r"t.npy' "):
        read_object_array(tmp_path / "t.npy")


@pytest.mark.parametrize("protocol", [3, 4])
def test_plain_values_and_arrays_of_them_are_read(tmp_path: Path, protocol: int) -> None:
    numbers = {0: np.array([1, 2]), 1: np.array([0.5], ">f4"), 2: np.array([True]), 3: np.array(["a", 1], object)}
    plain = {"a": [1, -1, 2**40, 1.5, None, True, "é", {1: ()}], 5: {}, **numbers}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    body = pickle.dumps(np.array(plain, dtype=object), protocol=protocol)
    (tmp_path / "t.npy").write_bytes(header.getvalue() + body)
    read = read_object_array(tmp_path / "t.npy")
    assert read["a"] == plain["a"]
    assert [read[key] for key in range(4)] == [[1, 2], [0.5], [True], ["a", 1]]


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        ({"training_dict": {"a": [1]}}, "training_dict.npy' holds no lists of items by user"),
        ({"training_dict": {0: 1}}, "holds no lists of items by user"),
        ({"training_dict": {0: ["a"]}}, "holds items that are no numbers"),
        ({"training_dict": {0: [2**40]}}, "holds items that are no numbers"),
        ({"item_map": {"a": "b"}}, "item_map.npy' holds no numbers of items"),
        ({"item_map": {0: [1]}}, "item_map.npy' holds no numbers of items"),
        ({"title_maps": {}}, "holds no titles by item"),
        ({"title_maps": {"seqid2title": {"1": 1, "2": 2, "3": 3}}}, "holds no titles by item"),
        ({"category_map": {"recid2category": {0: "PC"}}}, "category_map.npy in '.*' holds no lists of categories"),
    ],
)
def test_contents_of_another_kind_are_named(tmp_path: Path, replaced: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        convert_dealrec(publish(tmp_path / "games", **replaced), tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


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
