"""Folders of raw and finished tables: their names mean nothing, and no raw table is ever replaced."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coresift.corpus import IngestionOptions, Source, ingest_to_files, ingestion

OPTIONS = IngestionOptions(split="leave_one_out", min_history=0, threads=1)
RAW = {
    "interactions": pa.Table.from_pylist(
        [
            {"user_id": user, "item_id": item, "timestamp": 1_500_000_000 + 10 * item + user}
            for user in range(6)
            for item in range(4)
        ]
    ),
    "items": pa.table({"item_id": range(4), "title": list("abcd")}),
    "users": pa.table({"user_id": range(6), "age": range(20, 26)}),
}
TABLES = ("interactions", "items", "users", "samples", "rejected_rows")


def write_raw(folder: Path, names: tuple[str, ...] = tuple(RAW)) -> list[Source]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        pq.write_table(RAW[name], folder / f"{name}.parquet")
    return [Source(f"raw_{name}", path=str(folder / f"{name}.parquet")) for name in RAW]


def read(folder: Path, name: str) -> pa.Table:
    return pq.read_table(folder / f"{name}.parquet", partitioning=None)


@pytest.mark.parametrize("as_file", [True, False])
def test_key_and_value_in_the_names_of_folders_mean_nothing(tmp_path, as_file):
    sources = write_raw(tmp_path / "user_id=7" / "title=Game")
    if not as_file:
        sources = [Source(f"raw_{name}", table=table) for name, table in RAW.items()]
    output = tmp_path / "user_id=7" / "position=1"
    ingest_to_files(*sources, output, OPTIONS)
    assert read(output, "users")["raw_id"].to_pylist() == [str(user) for user in range(6)]
    assert read(output, "users")["age"].to_pylist() == list(range(20, 26))
    assert read(output, "items")["title"].to_pylist() == list("abcd")
    assert read(output, "interactions")["position"].to_pylist() == [0, 1, 2, 3] * 6


def test_a_raw_table_that_would_be_replaced_is_named_and_kept(tmp_path):
    sources = write_raw(tmp_path)
    message = r"raw_interactions \(.*\) lies where ingestion writes .* choose another output folder"
    with pytest.raises(ValueError, match=message):
        ingest_to_files(*sources, tmp_path, OPTIONS)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=message):
        ingest_to_files(*sources, tmp_path / "link" / "." / "link", OPTIONS)
    in_place = [Source(source.name, path=f"file://{source.path}") for source in sources]
    with pytest.raises(ValueError, match=message):
        ingest_to_files(*in_place, tmp_path, OPTIONS)
    assert all(read(tmp_path, name).equals(table) for name, table in RAW.items())


def test_a_folder_of_raw_files_is_no_output_folder(tmp_path):
    _, items, users = write_raw(tmp_path / "raw", ("items", "users"))
    folder = tmp_path / "interactions.parquet"  # as Spark writes a table
    folder.mkdir()
    pq.write_table(RAW["interactions"], folder / "part-0.parquet")
    for path, output in ((folder, folder), (folder, tmp_path), (folder / "part-0.parquet", tmp_path)):
        parts = Source("raw_interactions", path=str(path), format="parquet")
        with pytest.raises(ValueError, match="lies where ingestion writes"):
            ingest_to_files(parts, items, users, output, OPTIONS)
    assert [path.name for path in folder.iterdir()] == ["part-0.parquet"]


def test_only_what_an_earlier_call_left_is_removed(tmp_path):
    sources = write_raw(tmp_path / "raw")
    output = tmp_path / "output"
    for name in ("coresift-notes", ".coresift-steps-killed"):
        (output / name).mkdir(parents=True)
    (output / "coresift-log.txt").write_text("mine")
    ingest_to_files(*sources, output, OPTIONS)
    finished = [f"{name}.parquet" for name in TABLES]
    assert sorted(path.name for path in output.iterdir()) == sorted([*finished, "coresift-log.txt", "coresift-notes"])


def test_a_call_that_fails_leaves_the_older_tables(tmp_path):
    sources = write_raw(tmp_path / "raw")
    output = tmp_path / "output"
    ingest_to_files(*sources, output, OPTIONS)
    before = {name: read(output, name) for name in TABLES}
    (tmp_path / "raw" / "users.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="raw_users"):
        ingest_to_files(*sources, output, OPTIONS)
    assert sorted(path.name for path in output.iterdir()) == sorted(f"{name}.parquet" for name in TABLES)
    assert all(read(output, name).equals(table) for name, table in before.items())


def test_two_ingestions_at_once_into_one_folder_both_end_well(tmp_path, monkeypatch):
    sources = write_raw(tmp_path / "raw")
    output = tmp_path / "output"
    compute, reports = ingestion._corpus, []

    def beside_another(*arguments):
        monkeypatch.setattr(ingestion, "_corpus", compute)
        reports.append(ingest_to_files(*sources, output, OPTIONS))
        return compute(*arguments)

    monkeypatch.setattr(ingestion, "_corpus", beside_another)
    reports.append(ingest_to_files(*sources, output, OPTIONS))
    assert reports[0]["rows"] == reports[1]["rows"]
    assert sorted(path.name for path in output.iterdir()) == sorted(f"{name}.parquet" for name in TABLES)


def test_tables_of_another_engine_are_replaced(tmp_path):
    sources = write_raw(tmp_path / "raw")
    output = tmp_path / "output"
    (output / "samples.parquet").mkdir(parents=True)  # as Spark writes a table
    pq.write_table(RAW["users"], output / "samples.parquet" / "part-0.parquet")
    ingest_to_files(*sources, output, OPTIONS)
    assert (output / "samples.parquet").is_file()
    assert sorted(path.name for path in output.iterdir()) == sorted(f"{name}.parquet" for name in TABLES)


@pytest.mark.parametrize("memory_limit", [None, "1GB"])
@pytest.mark.parametrize("name", ['it\'s "q" a\\b', "run[1]*?", "50% #1; $x: {a,b} ü"])
def test_tables_are_written_into_a_folder_of_any_name(tmp_path, name, memory_limit):
    sources = write_raw(tmp_path / "raw")
    csv = tmp_path / "raw" / "items.csv"  # what is staged lies in the output folder while it is read
    csv.write_text("item_id,title\n" + "".join(f"{item},{title}\n" for item, title in enumerate("abcd")))
    sources[1] = Source("raw_items", path=str(csv))
    options = IngestionOptions(split="leave_one_out", min_history=0, threads=1, memory_limit=memory_limit)
    ingest_to_files(*sources, tmp_path / name, options)
    ingest_to_files(*sources, tmp_path / "plain", options)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "plain", name}
    for table in TABLES:
        assert read(tmp_path / name, table).equals(read(tmp_path / "plain", table)), table


def test_a_full_disk_is_no_fault_of_the_source(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("coresift.corpus.sources.source.stage", fail)
    sources = [Source(f"raw_{name}", table=table) for name, table in RAW.items()]
    with pytest.raises(OSError, match=r"^\[Errno 28\] No space left on device$"):
        ingest_to_files(*sources, tmp_path / "output", OPTIONS)
