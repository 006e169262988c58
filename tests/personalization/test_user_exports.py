"""What is kept per user: a row of shares; and on demand a plain LoRA that any server can load."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from fsspec.implementations.local import LocalFileSystem
from mixture_cases import STATE_DIM, logits, mixture, some_states, some_tokens, tiny_llama
from peft import PeftModel

from coresift.personalization import (
    DataDirectoryExports,
    SampleStates,
    SavedMixture,
    cluster_users,
    export_plain_lora,
    gate_statistics,
    user_gates,
    user_shares,
)
from coresift.storage import Lineage, Location, Tensors, write_lineage, write_tensors
from coresift.surrogate import OF_IMPRESSIONS


def saved(model, folder):
    model.save_pretrained(str(folder))
    return SavedMixture(folder)


GATES = ["per_module", "shared_trunk", "shared"]


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("square_root", [False, True])
@pytest.mark.parametrize("mix", ["output", "weight"])
def test_the_lora_of_one_user_is_the_mixture(tmp_path, mix, square_root, gate):
    model = mixture(mix=mix, square_root=square_root, gate=gate)
    states, tokens = some_states(), some_tokens()
    kept = saved(model, tmp_path / "mixture")
    table = user_gates(kept, np.arange(10, 14), states)
    export_plain_lora(kept, user_shares(table, kept, 12), tmp_path / "user")
    plain = PeftModel.from_pretrained(tiny_llama(), str(tmp_path / "user")).eval()
    expected = logits(model, tokens, states[[2]].expand(4, -1))
    torch.testing.assert_close(logits(plain, tokens), expected, rtol=1e-5, atol=1e-5)
    assert plain.peft_config["default"].r == (2 if mix == "weight" else 6)
    assert sorted(file.name for file in (tmp_path / "user").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_an_unknown_user_gets_equal_shares(tmp_path):
    model = mixture()
    kept = saved(model, tmp_path / "mixture")
    table = user_gates(kept, np.arange(4), some_states())
    export_plain_lora(kept, user_shares(table, kept, 99), tmp_path / "cold")
    cold = PeftModel.from_pretrained(tiny_llama(), str(tmp_path / "cold")).eval()
    torch.testing.assert_close(logits(cold, some_tokens()), logits(model, some_tokens()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("gate", GATES)
def test_the_table_takes_bytes_per_user(tmp_path, gate):
    model = mixture(gate=gate)
    kept = saved(model, tmp_path / "mixture")
    users = 5000
    table = user_gates(kept, np.arange(users), some_states(users))
    pq.write_table(table, tmp_path / "gates.parquet")
    numbers = (1 if gate == "shared" else len(model.mixture_layers)) * 3
    assert (tmp_path / "gates.parquet").stat().st_size / users < 8 * numbers + 16
    flat = torch.from_numpy(np.asarray(table["shares"].combine_chunks().values).copy())
    torch.testing.assert_close(flat.view(users, -1, 3), kept.shares(some_states(users)))


def test_a_table_of_another_adapter_is_refused(tmp_path):
    one, other = saved(mixture(), tmp_path / "one"), saved(mixture(gate="shared"), tmp_path / "other")
    table = user_gates(one, np.arange(4), some_states())
    with pytest.raises(ValueError, match="belongs to another adapter: export it again"):
        user_shares(table, other, 1)
    with pytest.raises(ValueError, match=r"shape \(1, 3\), but this adapter's gates give \(4, 3\)"):
        export_plain_lora(one, torch.ones(1, 3) / 3, tmp_path / "nowhere")


def test_groups_of_users_have_the_mean_of_their_shares(tmp_path):
    two = torch.cat([some_states(20, seed=1) + 9, some_states(20, seed=2) - 9])
    shares = saved(mixture(), tmp_path).shares(two)
    labels, centers = cluster_users(shares, 3)
    assert centers.shape == (3, 4, 3) and len(labels) == 40
    for label, center in enumerate(centers):
        torch.testing.assert_close(center, shares[labels == label].mean(0), rtol=1e-4, atol=1e-5)
    again, _ = cluster_users(shares, 3)
    assert np.array_equal(labels, again)


def test_statistics_tell_uniform_from_decided_gates():
    model = mixture(gate="shared", gate_hidden=0)
    uniform = gate_statistics(model, None)
    assert uniform["gate_entropy"] == pytest.approx(1)
    assert uniform["gate_usage_low"] == pytest.approx(1 / 3)
    with torch.no_grad():
        model.gates.networks[0].weight.zero_()[0, 0, 0] = 20.0
    decided = gate_statistics(model, torch.ones(5, STATE_DIM))
    assert decided["gate_entropy"] < 0.01 and decided["gate_usage_high"] > 0.99
    shares = model.gates.all_shares(some_states())
    expected = -(shares * shares.log()).sum(-1).mean() / math.log(3)
    assert gate_statistics(model, some_states())["gate_entropy"] == pytest.approx(float(expected), abs=1e-6)
    assert decided["gate_temperature"] == pytest.approx(1)


def test_states_are_found_by_the_sample_s_id_not_by_place():
    state = torch.arange(6.0).view(3, 2)
    states = SampleStates(Tensors({"sample_id": torch.tensor([30, 10, 20]), "state": state}, {"surrogate": "abc"}))
    found = states.of(torch.tensor([10, 30, 10]))
    assert found.tolist() == [[2, 3], [0, 1], [2, 3]]
    assert states.of(torch.tensor([11, 99])).isnan().all()
    assert (states.surrogate, states.state_dim) == ("abc", 2)
    assert SampleStates({"sample_id": torch.empty(0), "state": torch.empty(0, 2)}).of(torch.tensor([1])).isnan().all()
    with pytest.raises(ValueError, match="holds a sample twice"):
        SampleStates({"sample_id": torch.tensor([1, 1]), "state": state[:2]})
    with pytest.raises(ValueError, match="not finite"):
        SampleStates({"sample_id": torch.tensor([1, 2]), "state": state[:2] / 0})


def placed(data_dir, layer, name, version="v1"):
    target = data_dir / layer / name / version / name
    target.parent.mkdir(parents=True)
    return target


def test_exports_of_a_data_directory(tmp_path):
    model = mixture(surrogate="abc")
    model.save_pretrained(str(placed(tmp_path, "models", "adapter")))
    states = Tensors({"sample_id": torch.arange(6), "state": some_states(6)}, {"surrogate": "abc"})
    write_tensors(placed(tmp_path, "surrogate", "surrogate_states.safetensors"), states)
    samples = {"sample_id": [0, 1, 2, 3, 4, 5], "user_id": [0, 0, 0, 1, 1, 2], "split": [0, 2, 1, 0, 0, 0]}
    pq.write_table(pa.table(samples), placed(tmp_path, "primary", "samples.parquet"))
    users = pa.table({"user_id": [0, 1, 2], "raw_id": ["ann", "bob", "cleo"]})
    pq.write_table(users, placed(tmp_path, "intermediate", "users.parquet"))
    exports = DataDirectoryExports(tmp_path)
    gates = pq.read_table(exports.gates())
    assert gates["user_id"].to_pylist() == [0, 1, 2]
    plain = PeftModel.from_pretrained(tiny_llama(), str(exports.user("ann"))).eval()
    expected = logits(model, some_tokens(), states["state"][[1]].expand(4, -1))
    torch.testing.assert_close(logits(plain, some_tokens()), expected, rtol=1e-5, atol=1e-5)
    folder = exports.groups(2)
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "groups.parquet"]
    assert pq.read_table(folder / "groups.parquet")["user_id"].to_pylist() == [0, 1, 2]
    PeftModel.from_pretrained(tiny_llama(), str(folder / "1"))
    assert sorted(path.name for path in exports.groups(1).iterdir()) == ["0", "groups.parquet"]
    with pytest.raises(ValueError, match="no user with raw id 'dan'"):
        exports.user("dan")
    with pytest.raises(ValueError, match=r"holds no adapter: run the pipelines first"):
        DataDirectoryExports(tmp_path / "empty").gates()


def test_shares_of_impressions_are_no_user_s_to_export(tmp_path):
    mixture(surrogate="abc").save_pretrained(str(placed(tmp_path, "models", "adapter")))
    metadata = {"surrogate": "abc", **OF_IMPRESSIONS}
    states = Tensors({"sample_id": torch.arange(6), "state": some_states(6)}, metadata)
    write_tensors(placed(tmp_path, "surrogate", "surrogate_states.safetensors"), states)
    exports = DataDirectoryExports(tmp_path)
    for export in (exports.gates, lambda: exports.user("ann"), lambda: exports.groups(2)):
        with pytest.raises(ValueError, match=r"states of impressions \(DIN\).*surrogate\.model sasrec"):
            export()
    assert not (tmp_path / "exports").exists()


def origin(path, stage, **fingerprints):
    write_lineage(Location(LocalFileSystem(), str(path.parent)), Lineage(stage, fingerprints, "1"))
    return path


def test_an_export_reads_what_the_adapter_was_tuned_on_and_not_a_newer_ingestion(tmp_path):
    mixture(surrogate="abc").save_pretrained(str(placed(tmp_path, "models", "adapter")))
    origin(tmp_path / "models" / "adapter" / "v1" / "adapter", "tune", ingest="a", tune="t")
    states = Tensors({"sample_id": torch.arange(2), "state": some_states(2)}, {"surrogate": "abc"})
    write_tensors(placed(tmp_path, "surrogate", "surrogate_states.safetensors"), states)
    for version, people in (("v1", ["ann", "bob"]), ("v2", ["bob", "ann"])):
        samples = pa.table({"sample_id": [0, 1], "user_id": [0, 1], "split": [0, 0]})
        users = pa.table({"user_id": [0, 1], "raw_id": people})
        for layer, name, table in (("primary", "samples.parquet", samples), ("intermediate", "users.parquet", users)):
            pq.write_table(
                table, origin(placed(tmp_path, layer, name, version), "ingest", ingest="ab"[version == "v2"])
            )
    exports = DataDirectoryExports(tmp_path)
    assert exports.user("ann").name == "0"
    shutil.rmtree(tmp_path / "intermediate" / "users.parquet" / "v1")
    with pytest.raises(ValueError, match=r"no version of users\.parquet .* is of the origin of the newest adapter"):
        exports.user("ann")
