"""The catalog of every environment: where raw data come from, and that every hand-over is placed and checked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog

from coresift.storage import SCHEMAS, TENSOR_CONTRACTS

TABLES = ("interactions", "items", "users")
FORMATS = {"parquet": "parquet", "csv": "csv", "jsonl": "jsonl", "games": "parquet"}
CONTRACT_OF = {
    "recommender_rankings": "method_rankings",
    "baseline_rankings": "method_rankings",
    "recommender_predictions": "method_predictions",
    "baseline_predictions": "method_predictions",
}


def catalog_of(root: Path, env: str, *, conf: Path | None = None, **parameters: str) -> DataCatalog:
    bootstrap_project(root)
    session = KedroSession.create(root, env=env, runtime_params=parameters, conf_source=str(conf or root / "conf"))
    return session.load_context().catalog


def raw(catalog: DataCatalog) -> list[dict]:
    return [catalog[f"raw_{table}"]._describe() for table in TABLES]


@pytest.mark.parametrize(("env", "suffix"), FORMATS.items())
def test_environments_of_files_differ_in_a_suffix_and_only_users_are_optional(
    project_root: Path, env: str, suffix: str
) -> None:
    found = raw(catalog_of(project_root, env, raw_dir="/raw {1}"))
    assert [entry["filepath"] for entry in found] == [f"/raw {{1}}/{table}.{suffix}" for table in TABLES]
    assert [entry["name"] for entry in found] == ["raw_interactions", "raw_items", "raw_users"]
    assert [entry["optional"] for entry in found] == [False, False, True]
    assert {entry["format"] for entry in found} == {None}, "files tell their format by their names"


@pytest.mark.parametrize("env", ["movielens", "amazon"])
def test_environments_of_a_release_read_its_parts_from_one_place(project_root: Path, env: str) -> None:
    found = raw(catalog_of(project_root, env, raw_dir="/ml-1m.zip"))
    assert [(entry["filepath"], entry["format"], entry["part"]) for entry in found] == [
        ("/ml-1m.zip", env, table) for table in TABLES
    ]


def test_the_environment_of_a_database_reads_three_tables_of_which_users_are_optional(project_root: Path) -> None:
    found = raw(catalog_of(project_root, "database", raw_dir="sqlite:///shop.db"))
    assert [(entry["database_table"], entry["optional"]) for entry in found] == [
        ("interactions", False),
        ("items", False),
        ("users", True),
    ]
    assert {(entry["filepath"], entry["format"]) for entry in found} == {("sqlite:///shop.db", "database")}


@pytest.mark.parametrize(("env", "n_users", "n_items"), [("base", 2000, 600), ("test", 160, 80)])
def test_embedded_tables_share_seed_and_sizes(project_root: Path, env: str, n_users: int, n_items: int) -> None:
    sizes = {"seed": 0, "n_users": n_users, "n_items": n_items}
    assert raw(catalog_of(project_root, env)) == [{**sizes, "table": table} for table in TABLES]


def test_an_entry_of_an_environment_wins_over_the_kind_it_names(project_root: Path, tmp_path: Path) -> None:
    conf = shutil.copytree(project_root / "conf", tmp_path / "conf")
    (conf / "csv" / "catalog").mkdir()
    (conf / "csv" / "catalog" / "raw.yml").write_text(
        "raw_items: {type: coresift.datasets.SourceDataset, name: raw_items, filepath: /wares.tsv, quote: ''}\n"
    )
    found = raw(catalog_of(project_root, "csv", conf=conf, raw_dir="/raw"))
    assert [entry["filepath"] for entry in found] == ["/raw/interactions.csv", "/wares.tsv", "/raw/users.csv"]
    assert [entry["quote"] for entry in found] == ['"', "", '"']


def test_every_hand_over_is_versioned_in_its_layer_and_under_its_own_name(project_root: Path) -> None:
    catalog = catalog_of(project_root, "base", data_dir="/elsewhere")
    names = [name for name in catalog if not name.startswith(("params:", "parameters", "raw_"))]
    assert len(names) > 40
    for name in names:
        dataset = catalog[name]
        path = Path(str(dataset._describe()["filepath"]))
        layer = dataset.metadata["kedro-viz"]["layer"]
        assert dataset._version is not None, name
        assert (path.parent, path.stem) == (Path("/elsewhere") / layer, name)


def test_whatever_has_a_contract_is_checked_before_it_is_saved(project_root: Path) -> None:
    bootstrap_project(project_root)
    entries = KedroSession.create(project_root).load_context().config_loader["catalog"]
    kinds = {**dict.fromkeys(SCHEMAS, "TableContract"), **dict.fromkeys(TENSOR_CONTRACTS, "TensorContract")}
    checked = {name: entry["validator"] for name, entry in entries.items() if "options" in entry.get("validator", {})}
    expected = {name for name in entries if CONTRACT_OF.get(name, name) in kinds}
    assert set(checked) == expected
    for name, validator in checked.items():
        contract = CONTRACT_OF.get(name, name)
        assert validator["class"].endswith(f".{kinds[contract]}")
        assert validator["options"] == {"dataset": contract}
        assert validator[True] == ["save"], "YAML reads the key `on` as true, and so does Kedro"
