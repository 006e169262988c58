from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from coresift.selection import CandidatePool, RandomSelector, coreset_table, export_records, whole_pool_table
from coresift.storage import SCHEMAS


@pytest.fixture
def pool():
    return CandidatePool(sample_id=np.arange(20) * 2)


@pytest.fixture
def prompts():
    ids = np.arange(40, dtype=np.int32)
    texts = {"prompt": [f"read {i} ü\n" for i in ids], "response": [f"answer {i}" for i in ids]}
    return pa.table({"sample_id": ids} | texts)


def test_the_table_is_ordered_by_id_and_keeps_the_rank(pool):
    selector = RandomSelector(budget=6).fit(pool)
    table = coreset_table(pool, selector, "random")
    assert table.schema == SCHEMAS["coreset"]
    ids = table["sample_id"].to_numpy()
    assert (np.diff(ids) > 0).all()
    np.testing.assert_array_equal(ids[np.argsort(table["rank"].to_numpy())], selector.selected_indices_ * 2)
    assert np.isnan(table["score"].to_numpy()).all()


def test_the_whole_pool_has_weight_one(pool):
    table = whole_pool_table(pool)
    assert table.num_rows == 20
    assert set(table["weight"].to_pylist()) == {1.0}
    assert set(table["selector"].to_pylist()) == {"all"}


def test_records_come_best_first_and_hold_the_texts(pool, prompts):
    selector = RandomSelector(budget=3).fit(pool)
    table = coreset_table(pool, selector, "random")
    best = selector.selected_indices_[0] * 2
    chat = export_records(table, prompts)
    assert chat[0]["messages"] == [
        {"role": "user", "content": f"read {best} ü\n"},
        {"role": "assistant", "content": f"answer {best}"},
    ]
    plain = export_records(table, prompts, "prompt_completion")
    assert plain[0] == {"prompt": f"read {best} ü\n", "completion": f"answer {best}"}


def test_the_export_is_a_chat_dataset_for_training_tools(pool, prompts, tmp_path):
    datasets = pytest.importorskip("datasets")
    records = export_records(whole_pool_table(pool), prompts)
    path = tmp_path / "coreset.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.column_names == ["messages"]
    assert len(loaded) == 20
    assert [message["role"] for message in loaded[3]["messages"]] == ["user", "assistant"]


def test_a_coreset_sample_without_a_prompt_is_refused(pool, prompts):
    table = whole_pool_table(pool)
    with pytest.raises(ValueError, match="prompts lacks 1 samples of the coreset: run prompting again"):
        export_records(table, prompts.slice(1))
    with pytest.raises(ValueError, match="export_format is 'csv'"):
        export_records(table, prompts, "csv")
