"""Two runs compared on the same users."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from evaluation_cases import noisy_world

from coresift.cli import cli
from coresift.evaluation import compare_runs, comparison_lines, evaluate_rankings, read_user_metrics
from coresift.ranking import paired_bootstrap


@pytest.fixture(scope="module")
def run() -> pa.Table:
    users, rankings = noisy_world()
    return evaluate_rankings(rankings, users, n_resamples=50)[1]


def values(run: pa.Table, method: str, name: str = "recall@10") -> np.ndarray:
    chosen = run.filter((pc.field("method") == method) & pc.field("masked"))
    return chosen[name].to_numpy().astype(float)


def test_a_run_is_no_worse_than_itself_and_not_better(run) -> None:
    found = compare_runs(run, run, n_resamples=200)
    assert found["users"] == 60
    assert found["recall@10"]["difference"] == found["recall@10"]["low"] == 0.0
    assert found["recall@10"]["no_worse"]
    assert not found["recall@10"]["better"]


def test_methods_of_one_run_are_compared_user_by_user(run) -> None:
    found = compare_runs(run, run, method="tuned", against="item_knn", n_resamples=300, random_state=5)
    expected = paired_bootstrap(values(run, "tuned"), values(run, "item_knn"), n_resamples=300, random_state=5)
    entry = found["recall@10"]
    assert (entry["difference"], entry["low"], entry["high"]) == pytest.approx(
        (expected.mean_difference, expected.low, expected.high)
    )
    assert entry["first"] == pytest.approx(values(run, "tuned").mean())
    assert entry["second"] == pytest.approx(values(run, "item_knn").mean())
    assert entry["better"]
    back = compare_runs(run, run, method="item_knn", against="tuned", n_resamples=300)
    assert not back["recall@10"]["no_worse"]
    lines = comparison_lines(found)
    assert lines[0] == "Tuned model against Item neighbours"
    assert any(line.startswith("recall@10") and line.endswith("better") for line in lines)
    assert any(line.endswith("worse") for line in comparison_lines(back))


def test_users_without_targets_in_either_run_are_left_out(run) -> None:
    row = pc.and_(pc.equal(run["sample_id"], 3), pc.equal(run["method"], "tuned"))
    metrics = [name for name in run.column_names if "@" in name]
    emptied = run
    for name in metrics:
        column = pc.if_else(row, pa.scalar(np.nan, pa.float32()), run[name])
        emptied = emptied.set_column(emptied.column_names.index(name), name, column)
    assert compare_runs(run, emptied, n_resamples=20)["users"] == 59


def test_runs_are_read_from_a_file_or_a_data_folder(run, tmp_path) -> None:
    for version in ("2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"):
        folder = tmp_path / "reporting" / "user_metrics.parquet" / version
        folder.mkdir(parents=True)
        pq.write_table(run.slice(0, 60 if version.startswith("2026-01-01") else None), folder / "user_metrics.parquet")
    assert read_user_metrics(tmp_path).equals(run)
    older = tmp_path / "reporting/user_metrics.parquet/2026-01-01T00.00.00.000Z/user_metrics.parquet"
    assert len(read_user_metrics(older)) == 60
    with pytest.raises(ValueError, match=r"holds no user_metrics\.parquet"):
        read_user_metrics(tmp_path / "reporting")


def test_runs_that_cannot_be_paired_are_refused(run) -> None:
    with pytest.raises(ValueError, match=r"holds no rows of 'tuned\+prior'.*item_knn"):
        compare_runs(run, run, method="tuned+prior")
    with pytest.raises(ValueError, match="holds no rows of 'tuned'"):
        compare_runs(run.slice(0, 0), run)
    with pytest.raises(ValueError, match="different users"):
        compare_runs(run, run.filter(pc.field("sample_id") > 3))
    with pytest.raises(ValueError, match="different metrics"):
        compare_runs(run, run.drop_columns(["mrr@50"]))


def test_the_command_prints_the_comparison(run, tmp_path) -> None:
    file = tmp_path / "user_metrics.parquet"
    pq.write_table(run, file)
    done = CliRunner().invoke(cli, ["compare", str(file), str(file), "--against", "item_knn", "--unmasked"])
    assert done.exit_code == 0, done.output
    assert "Tuned model against Item neighbours" in done.output
    assert done.output.strip().endswith("60 users, nothing masked")
    refused = CliRunner().invoke(cli, ["compare", str(file), str(file), "--method", "mine"])
    assert refused.exit_code == 1
    assert "holds no rows of 'mine'" in refused.output


def clicks(losses: list[float], users: list[int]) -> pa.Table:
    count = len(losses)
    columns = {"method": ["tuned"] * count, "masked": [False] * count, "sample_id": list(range(count))}
    return pa.table(columns | {"user_id": users, "log_loss": losses, "accuracy": [1.0] * count})


def test_a_lower_log_loss_is_better_and_users_are_drawn_whole() -> None:
    draw = np.random.default_rng(0)
    users = np.repeat(np.arange(20), 15)
    bad = 0.7 + 0.1 * draw.normal(size=20)[users]
    good, bad = clicks((bad - 0.3).tolist(), users.tolist()), clicks(bad.tolist(), users.tolist())
    found = compare_runs(good, bad, n_resamples=200)
    assert (found["users"], found["masked"]) == (20, False)
    assert (found["log_loss"]["better"], found["log_loss"]["worse"]) == (True, False)
    back = compare_runs(bad, good, n_resamples=200)
    assert (back["log_loss"]["better"], back["log_loss"]["worse"], back["log_loss"]["no_worse"]) == (False, True, False)
    assert any(line.startswith("log_loss") and line.endswith(" worse") for line in comparison_lines(back))
    noise = draw.normal(size=20)
    noisy = compare_runs(clicks(noise[users].tolist(), users.tolist()), clicks([0.0] * 300, users.tolist()))
    expected = paired_bootstrap(noise, np.zeros(20))
    assert noisy["log_loss"]["low"] == pytest.approx(expected.low)
    assert noisy["log_loss"]["high"] == pytest.approx(expected.high)
