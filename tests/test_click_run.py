"""The main job on impressions: DIN is the surrogate, RecLoRA reads its states, and it is a row of the evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from coresift.cli import run
from coresift.datasets.validators import MetricsContract
from coresift.storage import read_tensors
from coresift.surrogate import Din, load_surrogate, surrogate_fingerprint

METHODS = ["tuned", "untuned", "surrogate", "item_click_rate", "user_click_rate"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Path:
    """Run everything on the tiny embedded shop's clicks and return the data folder."""
    data_dir = tmp_path_factory.mktemp("clicks") / "data"
    parameters = (
        "ingestion.samples=click,recommender.name=yes_no,personalization.enabled=true,selection.method=dealrec,"
        f"data_dir={data_dir}"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project_root)
        bootstrap_project(project_root)
        result = CliRunner().invoke(run, ["--env", "test", "--params", parameters])
    assert result.exit_code == 0, result.output
    return data_dir


def only(data_dir: Path, name: str) -> Path:
    (found,) = data_dir.glob(f"*/{name}/*/{name}")
    return found


def test_the_surrogate_is_din_and_its_states_are_what_the_gates_read(finished: Path) -> None:
    model = load_surrogate(only(finished, "surrogate_weights"))
    states = read_tensors(only(finished, "surrogate_states.safetensors"))
    gates = json.loads((only(finished, "adapter") / "reclora.json").read_text())
    assert isinstance(model, Din)
    assert gates["surrogate"] == states.metadata["surrogate"] == surrogate_fingerprint(model)
    assert gates["state_dim"] == states["state"].shape[1] == model.config.hidden
    samples = pq.read_table(only(finished, "samples.parquet"))
    assert states["sample_id"].tolist() == samples["sample_id"].to_pylist()


def test_every_score_of_a_training_sample_is_a_number(finished: Path) -> None:
    samples = pq.read_table(only(finished, "samples.parquet"))
    n_train = pc.sum(pc.equal(samples["split"], 0)).as_py()
    scores = pq.read_table(only(finished, "sample_scores.parquet"))
    influence = read_tensors(only(finished, "influence_scores.safetensors"))["influence"]
    assert scores.num_rows == len(influence) == n_train
    assert influence.isfinite().all() and all(np.isfinite(scores[name]).all() for name in scores.column_names)


def test_the_surrogate_is_a_row_of_the_evaluation(finished: Path) -> None:
    metrics = MetricsContract().validate(json.loads(only(finished, "metrics.json").read_text()))
    assert [row["method"] for row in metrics["rows"]] == METHODS
    assert "surrogate" in [row["against"] for row in metrics["comparisons"]]
