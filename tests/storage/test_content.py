"""Tables, tensors, shards, fingerprints and work folders."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from coresift.storage import (
    SCHEMAS,
    Shards,
    Tensors,
    describe_tensors,
    empty_table,
    fingerprint,
    read_table,
    read_tensors,
    table_preview,
    work_folder,
    write_table,
    write_tensors,
)

TABLE = pa.table({"sample_id": [0, 1, 2], "history": [[1], [2, 3], []]})


@pytest.mark.parametrize("form", ["table", "stream", "file", "folder"])
def test_a_table_is_written_from_every_form(tmp_path: Path, form: str) -> None:
    engine = tmp_path / "engine"
    engine.mkdir()
    pq.write_table(TABLE.slice(0, 2), engine / "part-0.parquet")
    pq.write_table(TABLE.slice(2), engine / "part-1.parquet")
    pq.write_table(TABLE, tmp_path / "whole.parquet")
    forms = {"table": TABLE, "stream": TABLE.to_reader(1), "file": tmp_path / "whole.parquet", "folder": engine}
    write_table(tmp_path / "out.parquet", forms[form])
    assert read_table(tmp_path / "out.parquet").to_pydict() == TABLE.to_pydict()


def test_columns_and_preview_read_only_a_part(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", TABLE)
    assert read_table(tmp_path / "t.parquet", ["history"]).column_names == ["history"]
    assert table_preview(tmp_path / "t.parquet", 2).num_rows == 2
    write_table(tmp_path / "empty.parquet", empty_table("coreset"))
    assert table_preview(tmp_path / "empty.parquet").schema.names == SCHEMAS["coreset"].names


def test_a_table_dataset_refuses_other_types(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not dict"):
        write_table(tmp_path / "t.parquet", {"a": [1]})  # type: ignore[arg-type]


def test_tensors_keep_values_and_metadata(tmp_path: Path) -> None:
    states = Tensors({"sample_id": torch.arange(3), "state": torch.randn(3, 2)}, {"fingerprint": "f", "a": "b"})
    write_tensors(tmp_path / "a", states)
    write_tensors(tmp_path / "b", states)
    loaded = read_tensors(tmp_path / "a")
    assert torch.equal(loaded["state"], states["state"])
    assert loaded.metadata == {"fingerprint": "f", "a": "b"}
    assert describe_tensors(tmp_path / "a") == {"sample_id": "I64 (3,)", "state": "F32 (3, 2)"}
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_shards_go_on_where_they_stopped(tmp_path: Path) -> None:
    Shards(tmp_path).append({"x": torch.tensor([1.0, 2.0])})
    resumed = Shards(tmp_path)
    assert resumed.written == 1
    resumed.append({"x": torch.tensor([3.0])})
    assert resumed.load()["x"].tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="hold"):
        resumed.append({"y": torch.tensor([3.0])})


@pytest.mark.parametrize(
    "poison", ["doubled", "truncated", "uneven", "other rows", "too many", "other width", "no ids"]
)
def test_shards_that_do_not_belong_are_deleted_with_all_that_follow(tmp_path: Path, poison: str) -> None:
    ids = torch.arange(9)
    shards = Shards(tmp_path)
    for part in ids[:8].split(2):
        shards.append({"id": part, "x": torch.ones(2, 3)})
    bad = {
        "doubled": {"id": ids[0:2], "x": torch.ones(2, 3)},
        "uneven": {"id": ids[2:4], "x": torch.ones(1, 3)},
        "other rows": {"id": ids[3:5], "x": torch.ones(2, 3)},
        "too many": {"id": torch.arange(2, 12), "x": torch.ones(10, 3)},
        "other width": {"id": ids[2:4], "x": torch.ones(2, 4)},
        "no ids": {"x": torch.ones(2, 3)},
    }
    if poison == "truncated":
        shards.files[1].write_bytes(shards.files[1].read_bytes()[:-5])
    else:
        write_tensors(shards.files[1], bad[poison])
    assert shards.keep_those_of("id", ids) == 2
    assert [file.name for file in shards.files] == ["shard-000000.safetensors"]
    assert shards.keep_those_of("id", ids) == 2


def test_whole_shards_are_kept(tmp_path: Path) -> None:
    shards = Shards(tmp_path)
    for part in torch.arange(5).split(2):
        shards.append({"id": part})
    assert shards.keep_those_of("id", torch.arange(9)) == shards.keep_those_of("id", torch.arange(5)) == 5
    assert shards.written == 3


def test_weights_rewritten_in_place_have_another_fingerprint_whatever_their_times_say(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"old weights")
    past = weights.stat().st_mtime_ns - 10**10
    os.utime(weights, ns=(past, past))
    before = fingerprint(tmp_path)
    with weights.open("r+b") as stream:
        stream.write(b"new weights")
    os.utime(weights, ns=(past, past))
    assert fingerprint(tmp_path) != before


def test_content_is_read_once_while_nothing_about_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"old weights")
    monkeypatch.setattr("coresift.storage.fingerprints._SETTLED", -1)
    before = fingerprint(tmp_path)
    monkeypatch.setattr("hashlib.file_digest", None)
    assert fingerprint(tmp_path) == before
    weights.chmod(0o600)
    with pytest.raises(TypeError):
        fingerprint(tmp_path)


def test_no_shards_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no shards"):
        Shards(tmp_path / "none").load()


def test_fingerprints_follow_content_only(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    chunked = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])
    assert fingerprint(TABLE) == fingerprint(chunked)
    assert fingerprint(TABLE) != fingerprint(TABLE.slice(1))
    assert fingerprint({"a": 1, "b": [2.5, None]}) == fingerprint({"b": [2.5, None], "a": 1})
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint(torch.zeros(2)) != fingerprint(torch.zeros(1, 2))
    before = fingerprint(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("{ }")
    assert fingerprint(tmp_path / "model") != before
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path / "absent")
    with pytest.raises(TypeError, match="set"):
        fingerprint({1, 2})


def test_equal_parts_share_a_work_folder(tmp_path: Path) -> None:
    first = work_folder(str(tmp_path), "norms", 1, "a")
    assert first == work_folder(str(tmp_path), "norms", 1, "a")
    assert first != work_folder(str(tmp_path), "norms", 2, "a")
    assert first.is_dir()
    assert work_folder("s3://bucket/data", "norms", 1).is_dir()
