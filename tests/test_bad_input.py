"""Bad input ends in one sentence that names the file, the problem and the remedy, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project
from recommender_cases import VOCABULARY, small_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from coresift.cli import run
from coresift.pipelines.selection.params import SelectionParameters

HOUR = 3_600_000
INTERACTIONS = pa.table(
    {
        "user_id": [f"u{i // 10}" for i in range(400)],
        "item_id": [f"i{(i * 7) % 30}" for i in range(400)],
        "timestamp": [1_600_000_000_000 + (i % 10) * HOUR + i for i in range(400)],
    }
)
ITEMS = pa.table({"item_id": [f"i{i}" for i in range(30)], "title": [f"Game {i}" for i in range(30)]})


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    pq.write_table(INTERACTIONS, folder / "interactions.parquet")
    pq.write_table(ITEMS, folder / "items.parquet")
    return folder


@pytest.fixture
def kedro_run(
    tmp_path: Path, raw_dir: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run ingestion, or other pipelines, on the raw folder with further parameters."""
    monkeypatch.chdir(project_root)
    bootstrap_project(project_root)

    def invoke(*parameters: str, env: str = "parquet", pipelines: str = "ingestion") -> Result:
        given = ",".join([f"raw_dir={raw_dir}", f"data_dir={tmp_path / 'data'}", *parameters])
        return CliRunner().invoke(run, ["--env", env, "--pipelines", pipelines, "--params", given])

    return invoke


def expect(result: Result, data_dir: Path, *words: str) -> None:
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.output
    assert not [path for path in data_dir.glob("**/*") if path.is_file()], "something was written"


WITHOUT_NORMS = "attribution.gradient_norms.enabled=false"


@pytest.mark.parametrize(
    ("parameters", "lacking"),
    [
        (["selection.method=less"], "features"),
        (["selection.method=gist"], "features"),
        (["selection.options.goracs.representation=gradient_feature"], "features"),
        (["selection.options.goracs.gradient_term=alignment"], "features"),
        ([WITHOUT_NORMS], "norms"),
        ([WITHOUT_NORMS, "selection.method=dealrec"], "norms"),
        ([WITHOUT_NORMS, "selection.method=goracs_greedy"], "norms"),
        ([WITHOUT_NORMS, "selection.method=ccs", "selection.options.ccs.score=gradient_norm"], "norms"),
    ],
)
def test_gradients_that_nobody_is_told_to_measure_stop_the_run_at_once(
    kedro_run: Callable[..., Result], tmp_path: Path, parameters: list[str], lacking: str
) -> None:
    words = f"reads gradient {lacking}: set attribution.gradient_{lacking}.enabled to true"
    expect(kedro_run("selection.budget=4", *parameters, pipelines="__default__"), tmp_path / "data", words)


@pytest.mark.parametrize("options", [{"method": "random"}, {"options": {"goracs": {"gradient_weight": 0.0}}}])
def test_selection_that_reads_no_norms_does_without(options: dict[str, object]) -> None:
    assert not SelectionParameters.model_validate(options).reads_gradient_norms


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            ["surrogate.model=din"],
            "set ingestion.samples to click, or surrogate.model to auto",
        ),
        (
            ["ingestion.samples=click", "attribution.influence.scored=released"],
            "influence.scored released is about next items",
        ),
        (["ingestion.samples=click", "surrogate.model=dim"], "parameter 'surrogate.model'"),
    ],
)
def test_a_surrogate_that_does_not_fit_the_samples_stops_the_run_at_once(
    kedro_run: Callable[..., Result], tmp_path: Path, parameters: list[str], words: str
) -> None:
    expect(kedro_run("selection.budget=4", *parameters, pipelines="__default__"), tmp_path / "data", words)


def test_what_fits_goes_on_to_the_data(kedro_run: Callable[..., Result]) -> None:
    wanted = ["ingestion.samples=click", "surrogate.model=sasrec", "attribution.influence.scored=released"]
    assert "ingestion.negatives" in kedro_run("selection.budget=4", *wanted, pipelines="__default__").output


def test_good_input_passes(kedro_run: Callable[..., Result], tmp_path: Path) -> None:
    result = kedro_run("selection.budget=4")
    assert result.exit_code == 0, result.output
    assert list((tmp_path / "data").glob("primary/samples.parquet/*/samples.parquet"))


@pytest.mark.parametrize(
    ("file", "table", "words"),
    [
        ("interactions", INTERACTIONS.drop(["item_id"]), ["interactions.parquet", "item_id"]),
        ("interactions", INTERACTIONS.drop(["timestamp"]), ["interactions.parquet", "timestamp", "position"]),
        ("interactions", INTERACTIONS.slice(0, 0), ["interactions.parquet", "has no rows"]),
        ("items", ITEMS.drop(["title"]), ["items.parquet", "title"]),
        (
            "interactions",
            INTERACTIONS.append_column("split", pa.array(["train"] * 399 + ["training"])),
            ["interactions.parquet", "training", "valid"],
        ),
        (
            "interactions",
            INTERACTIONS.set_column(2, "timestamp", pa.array(["last week"] * 400)),
            ["interactions.parquet", "timestamp"],
        ),
        (
            "interactions",
            INTERACTIONS.append_column("split", pa.array(["train"] * 400)),
            ["no validation", "split"],
        ),
    ],
)
def test_broken_tables(
    file: str, table: pa.Table, words: list[str], raw_dir: Path, tmp_path: Path, kedro_run: Callable[..., Result]
) -> None:
    pq.write_table(table, raw_dir / f"{file}.parquet")
    expect(kedro_run("selection.budget=4"), tmp_path / "data", *words)


def test_a_file_that_is_no_parquet(raw_dir: Path, tmp_path: Path, kedro_run: Callable[..., Result]) -> None:
    (raw_dir / "items.parquet").write_bytes(b"PAR1 and then nothing")
    expect(kedro_run("selection.budget=4"), tmp_path / "data", "items.parquet")


def test_a_missing_file(raw_dir: Path, tmp_path: Path, kedro_run: Callable[..., Result]) -> None:
    (raw_dir / "items.parquet").unlink()
    expect(kedro_run("selection.budget=4"), tmp_path / "data", "items.parquet", "raw_dir")


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("selection.budget=5000", ["budget 5000 > ", "candidates: lower selection.budget"]),
        ("dtype=nf4,device=cpu", ["needs a GPU of type cuda, not 'cpu': set dtype to auto"]),
        ("selection.budgett=5", ["unknown parameter 'selection.budgett'", "did you mean 'selection.budget'"]),
        ("foundation.model=conf", ["foundation.model", "conf", "config.json"]),
        ("foundation.model=no/such/folder/here", ["foundation.model", "no/such/folder/here"]),
        ("device=gpu", ["parameter 'device'", "'gpu'"]),
    ],
)
def test_wrong_parameters(parameter: str, words: list[str], tmp_path: Path, kedro_run: Callable[..., Result]) -> None:
    parameters = [parameter] if parameter.startswith("selection.budget") else ["selection.budget=4", parameter]
    expect(kedro_run(*parameters), tmp_path / "data", *words)


def test_prompts_longer_than_the_base_model_reads_stop_the_run_at_once(
    kedro_run: Callable[..., Result], tmp_path: Path
) -> None:
    folder = tmp_path / "gpt2"
    config = GPT2Config(vocab_size=len(VOCABULARY), n_positions=64, n_embd=8, n_layer=1, n_head=1)
    GPT2LMHeadModel(config).save_pretrained(folder)
    small_tokenizer().save_pretrained(folder)
    stages = "ingestion,foundation,prompting"
    given = [f"foundation.model={folder}", "selection.budget=4"]
    words = ["prompting.max_tokens is 128", "reads at most 64: lower it"]
    expect(kedro_run(*given, pipelines=stages), tmp_path / "data", *words)
    words = ["prompting.max_tokens is 600", "the model that is trained here reads at most 512"]
    given = ["prompting.max_tokens=600", "selection.budget=4"]
    expect(kedro_run(*given, pipelines=stages), tmp_path / "data", *words)
