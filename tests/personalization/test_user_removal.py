"""A user is taken out of every dataset of a data directory; nobody else loses a row."""

from __future__ import annotations

import json

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from coresift.personalization.user_removal import forget_user
from coresift.storage import Lineage, Location, Shards, Tensors, read_tensors, write_lineage, write_tensors
from coresift.storage.ownership import FileLock

OLD, NEW, LATER = "2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z", "2026-03-01T00.00.00.000Z"


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


def test_nothing_is_forgotten_while_a_run_is_at_work(data_dir):
    running = FileLock.take(data_dir / ".work" / ".finetuning-1.lock")
    with pytest.raises(ValueError, match=r"a run works in .* \(finetuning-1\) .*: wait until it ends"):
        forget_user(data_dir, "ann")
    assert (data_dir / ".work" / "finetuning-1").is_dir()
    assert column(data_dir, "primary", "samples.parquet", NEW, "sample_id") == list(range(6))
    running.release()
    forget_user(data_dir, "ann")
    assert not (data_dir / ".work").exists()


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


def rests_on(path, stage, **fingerprints):
    """Write the lineage of a dataset into its version's folder."""
    write_lineage(Location(fsspec.filesystem("file"), str(path.parent)), Lineage(stage, fingerprints, "1"))


@pytest.fixture
def renumbered(tmp_path):
    """Two ingestions that number ann and bob the other way round, with a lineage and four prompts each."""
    for version, people in ((OLD, ["ann", "bob"]), (NEW, ["bob", "ann"])):
        users = place(tmp_path, "intermediate", "users.parquet", version)
        pq.write_table(pa.table({"user_id": [0, 1], "raw_id": people}), users)
        samples = place(tmp_path, "primary", "samples.parquet", version)
        pq.write_table(pa.table({"sample_id": pa.array(range(4), pa.int32()), "user_id": [0, 1, 0, 1]}), samples)
        prompts = place(tmp_path, "primary", "prompts.parquet", version)
        content = {"prompt": ["same"] * 4, "response": ["x", "x", "y", "z"]}
        pq.write_table(pa.table({"sample_id": pa.array(range(4), pa.int32()), **content}), prompts)
        for path in (users, samples):
            rests_on(path, "ingest", ingest=version)
        rests_on(prompts, "render", ingest=version, render=version)
    return tmp_path


def test_lineage_and_not_the_date_of_a_version_tells_whose_rows_it_holds(renumbered):
    coreset = place(renumbered, "model_input", "coreset.parquet", LATER)
    pq.write_table(pa.table({"sample_id": pa.array([0, 1, 2], pa.int32()), "rank": [2, 0, 1]}), coreset)
    rests_on(coreset, "select", ingest=OLD, select="s")
    forget_user(renumbered, "ann")
    assert pq.read_table(coreset)["sample_id"].to_pylist() == [1]


def test_an_exported_line_goes_by_its_place_although_others_have_the_same_prompt_and_response(renumbered):
    coreset = place(renumbered, "model_input", "coreset.parquet", LATER)
    pq.write_table(pa.table({"sample_id": pa.array([0, 1, 3], pa.int32()), "rank": [2, 0, 1]}), coreset)
    rests_on(coreset, "select", ingest=OLD, select="s")
    export = place(renumbered, "model_input", "coreset_export.jsonl", LATER)
    lines = [json.dumps({"prompt": "same", "completion": response, "n": n}) for n, response in enumerate("xzx")]
    export.write_text("\n".join(lines) + "\n")
    rests_on(export, "export", ingest=OLD, select="s", export="e")
    forget_user(renumbered, "ann")
    assert [json.loads(line)["n"] for line in export.read_text().splitlines()] == [0, 1]


def test_without_the_coreset_a_response_tells_whose_line_it_is_and_an_equal_one_is_named(renumbered):
    export = place(renumbered, "model_input", "coreset_export.jsonl", LATER)
    rests_on(export, "export", ingest=OLD, render=OLD, export="e")
    export.write_text('{"prompt": "same", "completion": "y"}\n{"prompt": "same", "completion": "z"}\n')
    assert not forget_user(renumbered, "ann").unreached
    assert [json.loads(line)["completion"] for line in export.read_text().splitlines()] == ["z"]


def test_a_version_that_could_be_of_either_ingestion_is_left_and_named(renumbered):
    unknown = place(renumbered, "feature", "scores.parquet", LATER)
    pq.write_table(pa.table({"sample_id": pa.array([0, 1], pa.int32())}), unknown)
    states = place(renumbered, "surrogate", "states.safetensors", LATER)
    write_tensors(states, {"sample_id": torch.arange(4), "state": torch.zeros(4, 2)})
    done = forget_user(renumbered, "ann")
    assert set(done.unreached) == {path.relative_to(renumbered).as_posix() for path in (unknown, states)}
    assert pq.read_table(unknown).num_rows == 2 and len(read_tensors(states)["sample_id"]) == 4


def test_a_raw_id_in_the_row_decides_where_no_lineage_does(renumbered):
    named = place(renumbered, "feature", "scores.parquet", LATER)
    pq.write_table(pa.table({"sample_id": pa.array([0, 1], pa.int32()), "who": ["bob", "ann"]}), named)
    assert not forget_user(renumbered, "ann").unreached
    assert pq.read_table(named)["who"].to_pylist() == ["bob"]


def test_rows_in_shards_go_too(renumbered):
    folder = renumbered / "feature" / "gradient_features" / NEW / "gradient_features"
    shards = Shards(folder)
    for ids in ([0, 1], [2, 3]):
        shards.append({"sample_id": torch.tensor(ids), "feature": torch.tensor([[float(value)] for value in ids])})
    rests_on(folder, "measure", ingest=NEW, measure="m")
    forget_user(renumbered, "ann")
    left = Shards(folder).load()
    assert left["sample_id"].tolist() == [0, 2] and left["feature"].flatten().tolist() == [0.0, 2.0]


@pytest.mark.parametrize("name", [".writing-x.parquet", ".writing-x.safetensors", ".writing-x.jsonl"])
def test_drafts_of_killed_runs_do_not_stop_it_and_are_deleted(renumbered, name):
    draft = renumbered / "feature" / "a" / NEW / name
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"half")
    layer_work = renumbered / "feature" / ".work" / "a-1"
    layer_work.mkdir(parents=True)
    assert not forget_user(renumbered, "ann").unreached
    assert not draft.exists() and not layer_work.exists()


def test_a_damaged_dataset_is_named_and_the_rest_is_done(renumbered):
    damaged = place(renumbered, "feature", "scores.parquet", NEW)
    damaged.write_bytes(b"PAR1")
    done = forget_user(renumbered, "ann")
    assert list(done.unreached) == [damaged.relative_to(renumbered).as_posix()]
    assert column(renumbered, "intermediate", "users.parquet", NEW, "raw_id") == ["bob", None]


def test_a_damaged_table_of_users_is_one_sentence_and_nothing_is_removed(renumbered):
    users = renumbered / "intermediate" / "users.parquet" / NEW / "users.parquet"
    users.write_bytes(users.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"users.parquet' is damaged: delete"):
        forget_user(renumbered, "ann")
    assert column(renumbered, "intermediate", "users.parquet", OLD, "raw_id") == ["ann", "bob"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x1c"])
def test_line_ends_of_unicode_do_not_end_a_record(renumbered, separator):
    prompts = renumbered / "primary" / "prompts.parquet" / NEW / "prompts.parquet"
    texts = {"prompt": [f"{name}{separator}tea" for name in "abcd"], "response": list("wxyz")}
    pq.write_table(pa.table({"sample_id": pa.array(range(4), pa.int32()), **texts}), prompts)
    export = place(renumbered, "model_input", "coreset_export.jsonl", NEW)
    rests_on(export, "export", ingest=NEW, render=NEW, export="e")
    records = [{"prompt": texts["prompt"][row], "completion": "w"} for row in (0, 1)]
    export.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    forget_user(renumbered, "ann")
    assert json.loads(export.read_text(encoding="utf-8"))["prompt"] == texts["prompt"][0]


def test_models_are_told_by_lineage(renumbered):
    for version in (OLD, NEW):
        coreset = place(renumbered, "model_input", "coreset.parquet", version)
        chosen = pa.array([0 if version == OLD else 2], pa.int32())
        pq.write_table(pa.table({"sample_id": chosen, "rank": [0]}), coreset)
        rests_on(coreset, "select", ingest=version, select=version)
    for version, origin in (("2026-04", OLD), ("2026-05", NEW)):
        adapter = renumbered / "models" / "adapter" / version / "adapter"
        adapter.mkdir(parents=True)
        rests_on(adapter, "tune", ingest=origin, select=origin, tune="t")
    assert forget_user(renumbered, "ann").models == ["models/adapter/2026-04"]
