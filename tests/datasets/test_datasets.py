"""Every dataset of the project: round trip, versions, previews, local disk and memory://, nothing half-written."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
import torch
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import Version
from matplotlib.figure import Figure

from coresift.datasets import (
    ArrowTableDataset,
    FigureDataset,
    JsonDataset,
    JsonLinesDataset,
    ModelDirectoryDataset,
    PeftAdapterDataset,
    ShardedTensorDataset,
    SourceDataset,
    TensorDictDataset,
    TextDataset,
)
from coresift.storage import Tensors

ROWS = {"sample_id": [0, 1], "text": ["a", "b" * 500]}
TENSORS = {"sample_id": torch.arange(2), "state": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}


def adapter_folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (path / name).write_text("{}")
    return path


def listing(value: object) -> object:
    """Bring what different datasets load into one comparable form."""
    if isinstance(value, pa.Table):
        return value.to_pydict()
    if isinstance(value, dict):
        return {name: part.tolist() if isinstance(part, torch.Tensor) else part for name, part in value.items()}
    if isinstance(value, Path):
        return sorted(file.name for file in value.rglob("*"))
    return value


CASES: dict[str, tuple[type[AbstractDataset], Callable[[Path], Any]]] = {
    "table": (ArrowTableDataset, lambda _: pa.table(ROWS)),
    "tensors": (TensorDictDataset, lambda _: TENSORS),
    "shards": (ShardedTensorDataset, lambda _: Tensors(TENSORS, {"total_rows": "2"})),
    "model": (ModelDirectoryDataset, lambda path: adapter_folder(path / "made")),
    "adapter": (PeftAdapterDataset, lambda path: adapter_folder(path / "made")),
    "lines": (JsonLinesDataset, lambda _: [{"prompt": "é"}, {"prompt": "b"}]),
    "json": (JsonDataset, lambda _: {"users": 3}),
    "text": (TextDataset, lambda _: "<html/>"),
}


@pytest.fixture(params=["file", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "data") if request.param == "file" else "memory://data"
    fsspec.filesystem("memory").store.clear()


@pytest.mark.parametrize("case", CASES)
def test_round_trip_and_versions(case: str, root: str, tmp_path: Path) -> None:
    kind, make = CASES[case]
    for version in ("2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"):
        dataset = kind(filepath=f"{root}/thing", version=Version(None, version))
        assert dataset.exists() == (version != "2026-01-01T00.00.00.000Z")
        dataset.save(make(tmp_path))
        assert listing(dataset.load()) == listing(make(tmp_path))
    latest = kind(filepath=f"{root}/thing", version=Version(None, None))
    assert latest.resolve_load_version() == "2026-01-02T00.00.00.000Z"
    assert len(latest.list_versions()) == 2
    with pytest.raises(DatasetError, match="must not exist"):
        kind(filepath=f"{root}/thing", version=Version(None, version)).save(make(tmp_path))


@pytest.mark.parametrize("case", ["table", "tensors", "shards", "model", "lines"])
def test_previews_are_plain_json(case: str, root: str, tmp_path: Path) -> None:
    kind, make = CASES[case]
    dataset = kind(filepath=f"{root}/thing")
    dataset.save(make(tmp_path))
    preview = dataset.preview()
    text = preview if isinstance(preview, str) else json.dumps(preview)
    assert json.loads(text)
    assert len(text) < 400


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (JsonDataset, {"a": 1}, {"a": 1, "b": object()}),
        (JsonLinesDataset, [{"a": 1}], [{"a": 1}, {"a": object()}]),
        (ArrowTableDataset, pa.table(ROWS), {"not": "a table"}),
        (TensorDictDataset, TENSORS, {"x": "not a tensor"}),
        (TextDataset, "text", 3),
    ],
)
def test_a_failed_save_leaves_the_last_good_version(kind: Any, good: object, bad: object, root: str) -> None:
    kind(filepath=f"{root}/thing", version=Version(None, "2026-01-01T00.00.00.000Z")).save(good)
    with pytest.raises((DatasetError, TypeError)):
        kind(filepath=f"{root}/thing", version=Version(None, "2026-01-02T00.00.00.000Z")).save(bad)
    latest = kind(filepath=f"{root}/thing", version=Version(None, None))
    assert latest.resolve_load_version() == "2026-01-01T00.00.00.000Z"
    assert listing(latest.load()) == listing(good)


def test_a_figure_is_saved_whole(tmp_path: Path) -> None:
    figure = Figure()
    figure.subplots().plot([1, 2])
    dataset = FigureDataset(filepath=str(tmp_path / "plot.png"), version=Version(None, None))
    dataset.save(figure)
    assert dataset.exists()
    assert len(dataset.preview()) > 1000


def test_shards_exist_when_the_announced_rows_are_there(tmp_path: Path) -> None:
    dataset = ShardedTensorDataset(filepath=str(tmp_path / "features"), version=Version(None, None))
    for row in range(3):
        assert not dataset.exists()
        dataset.save(Tensors({"feature": torch.full((1, 2), float(row))}, {"total_rows": "3"}))
    assert dataset.load()["feature"][:, 0].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("filepath", ["{}/features", "memory://data/features"])
def test_shards_ignore_what_a_killed_writer_left(filepath: str, tmp_path: Path) -> None:
    filepath = filepath.format(tmp_path)
    ShardedTensorDataset(filepath=filepath).save(Tensors({"feature": torch.zeros(1)}, {"total_rows": "2"}))
    dataset = ShardedTensorDataset(filepath=filepath)
    dataset.save(Tensors({"feature": torch.ones(2)}, {"total_rows": "2"}))
    assert dataset.load()["feature"].tolist() == [1.0, 1.0]


def test_shards_refuse_what_was_not_announced(tmp_path: Path) -> None:
    dataset = ShardedTensorDataset(filepath=str(tmp_path / "features"))
    with pytest.raises(DatasetError, match="total_rows"):
        dataset.save({"feature": torch.zeros(1)})
    with pytest.raises(DatasetError, match="announced 1 rows but received 2"):
        dataset.save(Tensors({"feature": torch.zeros(2)}, {"total_rows": "1"}))
    assert not dataset.exists()


def test_folders_refuse_pickles_and_missing_files(tmp_path: Path) -> None:
    folder = adapter_folder(tmp_path / "made")
    (folder / "pytorch_model.bin").write_text("")
    with pytest.raises(DatasetError, match=r"pytorch_model\.bin, which may be pickles"):
        ModelDirectoryDataset(filepath=str(tmp_path / "model")).save(folder)
    (folder / "pytorch_model.bin").rename(folder / "notes.txt")
    (folder / "notes.txt").write_bytes(b"cos\nsystem\n(S'id'\ntR.")
    with pytest.raises(DatasetError, match=r"notes\.txt, which may be pickles or programs"):
        ModelDirectoryDataset(filepath=str(tmp_path / "model")).save(folder)
    assert not (tmp_path / "model").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"lacks adapter_config\.json"):
        PeftAdapterDataset(filepath=str(tmp_path / "adapter")).save(tmp_path / "empty")


def test_a_whole_tuned_model_stands_in_for_an_adapter(tmp_path: Path) -> None:
    dataset = PeftAdapterDataset(filepath=str(tmp_path / "adapter"))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"lacks adapter_config\.json"):
        dataset.save(folder)
    (folder / "model.safetensors").write_text("{}")
    dataset.save(folder)
    assert sorted(file.name for file in dataset.load().iterdir()) == ["config.json", "model.safetensors"]


ODD_NAMES = ["run[1]", "run*", "run?", "[!a]{b,c}", 'it\'s "q"', "a\\b", "50% #1; $x", "ü 😀"]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("case", CASES)
def test_versions_are_found_below_a_folder_of_any_name(case: str, name: str, root: str, tmp_path: Path) -> None:
    kind, make = CASES[case]
    folder = f"{root}/{name}"
    for version in ("2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"):
        kind(filepath=f"{folder}/thing", version=Version(None, version)).save(make(tmp_path))
    latest = kind(filepath=f"{folder}/thing", version=Version(None, None))
    assert latest.exists()
    assert latest.list_versions(full_path=False) == ["2026-01-02T00.00.00.000Z", "2026-01-01T00.00.00.000Z"]
    assert listing(latest.load()) == listing(make(tmp_path))


@pytest.mark.parametrize("case", CASES)
def test_a_folder_like_a_pattern_never_stands_for_its_neighbor(case: str, root: str, tmp_path: Path) -> None:
    kind, make = CASES[case]
    kind(filepath=f"{root}/run1/thing", version=Version(None, "2026-01-01T00.00.00.000Z")).save(make(tmp_path))
    other = kind(filepath=f"{root}/run[1]/thing", version=Version(None, None))
    assert not other.exists()
    with pytest.raises(DatasetError, match="Did not find any versions"):
        other.load()


@pytest.mark.parametrize("case", CASES)
def test_a_run_loads_what_it_saved_although_a_later_run_has_saved_too(case: str, root: str, tmp_path: Path) -> None:
    kind, make = CASES[case]
    mine, theirs = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"
    kind(filepath=f"{root}/thing", version=Version(None, mine)).save(make(tmp_path))
    kind(filepath=f"{root}/thing", version=Version(None, theirs)).save(make(tmp_path))
    assert kind(filepath=f"{root}/thing", version=Version(None, mine)).resolve_load_version() == mine
    assert kind(filepath=f"{root}/thing", version=Version(theirs, mine)).resolve_load_version() == theirs
    assert kind(filepath=f"{root}/thing", version=Version(None, "2026-01-03")).resolve_load_version() == theirs


def test_figures_are_found_below_a_folder_of_any_name(tmp_path: Path) -> None:
    dataset = FigureDataset(filepath=f"{tmp_path}/run[1] 'x'/plot.png", version=Version(None, "2026-01-01"))
    dataset.save(Figure())
    assert dataset.exists()
    assert dataset.list_versions(full_path=False) == ["2026-01-01"]


def test_names_of_raw_data_may_look_like_numbers_in_a_catalog() -> None:
    source = SourceDataset(
        filepath=2018, name="raw_items", format="csv", columns={"item_id": 0, "title": 1}, database_table=2024
    ).load()
    assert (source.path, source.columns, source.database_table) == ("2018", {"item_id": "0", "title": "1"}, "2024")


@pytest.mark.parametrize("arguments", [{"filepath": 1e3}, {"filepath": True}, {"columns": {"item_id": None}}])
def test_what_was_a_name_before_it_was_read_is_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(DatasetError, match="put it into quotes"):
        SourceDataset(**{"filepath": "items.csv", "name": "raw_items", **arguments})
