"""A user is taken out of every dataset of a data directory; nobody else loses a row."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from coresift.personalization.forgetting import forget_user
from coresift.storage import Tensors, read_tensors, write_tensors

OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"


def place(folder, layer, name, version):
    target = folder / layer / name / version / name
    target.parent.mkdir(parents=True)
    return target


@pytest.fixture
def data_dir(tmp_path):
    """Two ingestions, in which the same people have different ids; all later stages ran on the newer one."""
    for version, people in ((OLD, ["ann", "bob"]), (NEW, ["zoe", "ann", "bob"])):
        users = {"user_id": range(len(people)), "raw_id": people, "job": ["clerk"] * len(people)}
        pq.write_table(pa.table(users), place(tmp_path, "intermediate", "users.parquet", version))
        pq.write_table(
            pa.table({"user_id": [0, 0, 1], "item_id": [5, 6, 7]}),
            place(tmp_path, "intermediate", "interactions.parquet", version),
        )
    samples = {"sample_id": pa.array(range(6), pa.int32()), "user_id": [0, 1, 2, 0, 1, 2]}
    pq.write_table(pa.table(samples), place(tmp_path, "primary", "samples.parquet", NEW))
    texts = [f"prompt {number}" for number in range(6)]
    prompts = {"sample_id": samples["sample_id"], "prompt": texts}
    pq.write_table(pa.table(prompts), place(tmp_path, "primary", "prompts.parquet", NEW))
    states = Tensors({"sample_id": torch.arange(6), "state": torch.randn(6, 2)}, {"surrogate": "s"})
    write_tensors(place(tmp_path, "surrogate", "surrogate_states.safetensors", NEW), states)
    vectors = Tensors({"item_id": torch.arange(3), "vector": torch.randn(3, 2)})
    write_tensors(place(tmp_path, "primary", "item_vectors.safetensors", NEW), vectors)
    for version, chosen in ((OLD, [0, 2]), (NEW, [0, 1, 5])):
        coreset = pa.table({"sample_id": pa.array(chosen, pa.int32())})
        pq.write_table(coreset, place(tmp_path, "model_input", "coreset.parquet", version))
        (tmp_path / "models" / "adapter" / version / "adapter").mkdir(parents=True)
        write_tensors(tmp_path / "models" / "adapter" / version / "adapter" / "adapter_model.safetensors", states)
    lines = [json.dumps({"messages": [{"role": "user", "content": texts[row]}]}) for row in (5, 1, 0)]
    place(tmp_path, "model_input", "coreset_export.jsonl", NEW).write_text("\n".join(lines) + "\n")
    gates = pa.table({"user_id": [0, 1], "shares": [[0.5, 0.5]] * 2})
    pq.write_table(gates, place(tmp_path, "exports", "user_gates.parquet", NEW))
    for user in (0, 1):
        (tmp_path / "exports" / "user_lora" / NEW / str(user)).mkdir(parents=True)
    (tmp_path / ".work" / "finetuning-1").mkdir(parents=True)
    return tmp_path


def column(folder, layer, name, version, wanted):
    return pq.read_table(folder / layer / name / version / name)[wanted].to_pylist()


def test_every_row_of_the_user_goes_and_no_other(data_dir):
    done = forget_user(data_dir, "ann")
    assert column(data_dir, "intermediate", "interactions.parquet", OLD, "item_id") == [7]
    assert column(data_dir, "intermediate", "interactions.parquet", NEW, "item_id") == [5, 6]
    assert column(data_dir, "primary", "samples.parquet", NEW, "sample_id") == [0, 2, 3, 5]
    assert column(data_dir, "primary", "prompts.parquet", NEW, "sample_id") == [0, 2, 3, 5]
    assert column(data_dir, "model_input", "coreset.parquet", NEW, "sample_id") == [0, 5]
    assert column(data_dir, "exports", "user_gates.parquet", NEW, "user_id") == [0]
    states = read_tensors(
        data_dir / "surrogate" / "surrogate_states.safetensors" / NEW / "surrogate_states.safetensors"
    )
    assert states["sample_id"].tolist() == [0, 2, 3, 5] and states.metadata == {"surrogate": "s"}
    export = data_dir / "model_input" / "coreset_export.jsonl" / NEW / "coreset_export.jsonl"
    assert [json.loads(line)["messages"][0]["content"][-1] for line in export.read_text().splitlines()] == ["5", "0"]
    assert sorted(path.name for path in (data_dir / "exports" / "user_lora" / NEW).iterdir()) == ["0"]
    assert not (data_dir / ".work").exists()
    assert done.rows["primary/samples.parquet/" + NEW + "/samples.parquet"] == 2
    assert "exports/user_lora/" + NEW + "/1" in done.rows


def test_ids_stay_dense_but_say_nothing_of_the_user(data_dir):
    forget_user(data_dir, "ann")
    for version, people in ((OLD, [None, "bob"]), (NEW, ["zoe", None, "bob"])):
        assert column(data_dir, "intermediate", "users.parquet", version, "raw_id") == people
        assert column(data_dir, "intermediate", "users.parquet", version, "user_id") == list(range(len(people)))
    assert column(data_dir, "intermediate", "users.parquet", NEW, "job") == ["clerk", None, "clerk"]


def test_models_that_learned_from_the_user_are_named(data_dir):
    assert forget_user(data_dir, "ann").models == [f"models/adapter/{NEW}"]
    assert forget_user(data_dir, "zoe").models == [f"models/adapter/{NEW}"]


def test_files_without_the_user_are_not_touched(data_dir):
    paths = [path for path in data_dir.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in paths}
    done = forget_user(data_dir, "bob")
    changed = {
        path.relative_to(data_dir).as_posix() for path, content in before.items() if path.read_bytes() != content
    }
    assert changed == set(done.rows)
    assert not any("item_vectors" in name or "adapter" in name for name in changed)


def test_a_repeated_or_unknown_request_is_refused(data_dir):
    forget_user(data_dir, "ann")
    with pytest.raises(ValueError, match="no user with raw id 'ann'"):
        forget_user(data_dir, "ann")
