"""Forget a user: take rows, states and exports out of a data directory, and name the models that saw them."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from coresift.storage import WORK_FOLDER_NAME, atomic_file, read_table, read_tensors, write_tensors
from coresift.storage.tensors import Tensors

logger = logging.getLogger(__name__)

Value = TypeVar("Value")
KEPT_TO_THE_END = ("prompts", "samples", "users")
"""Datasets that say which rows are the user's; they go last, so that a killed run can be repeated."""
MODELS = {"surrogate_weights": "interactions", "adapter": "coreset"}
"""Models, and the dataset whose rows of the user they learned from."""


EXPORTS, USER_LORA = "exports", "user_lora"
"""Layer of what is exported per user, and the LoRA folders in it: ``exports/user_lora/<adapter version>/<user id>``."""


@dataclass
class Forgotten:
    """What was done.

    Attributes:
        rows: Rows removed, by path within the data directory.
        models: Model folders that learned from the user, and should be trained again.
    """

    rows: dict[str, int] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StoredFile:
    """One file of a versioned dataset, ``<layer>/<dataset>.<suffix>/<version>/...``."""

    dataset: str
    version: str
    path: Path


def forget_user(data_dir: Path, raw_id: str) -> Forgotten:
    """Remove a user from every version of every dataset.

    Ids stay dense: the user's row in ``users`` remains, without raw id and profile. Unfinished work, which may hold
    the user's rows, is deleted. Raw data outside the directory is not touched: a new ingestion brings the user back.

    Args:
        data_dir: The project's data folder, on this machine.
        raw_id: The user's id as the raw data has it.

    Raises:
        ValueError: If no version of the data knows the user.
    """
    files = list(_stored_files(data_dir))
    owners = {file.version: _user_id(file.path, raw_id) for file in files if file.dataset == "users"}
    if not any(user is not None for user in owners.values()):
        raise ValueError(f"no user with raw id '{raw_id}' in '{data_dir}': check the id and the folder")
    owned = _Owned(owners, files)
    done = Forgotten(models=[name for name in _models(data_dir) if _learned(data_dir / name, files, owned)])
    for file in sorted(files, key=_when):
        removed = _forget_in(file, owned)
        if removed:
            done.rows[file.path.relative_to(data_dir).as_posix()] = removed
    for folder in _exported_adapters(data_dir, owned):
        done.rows[folder.relative_to(data_dir).as_posix()] = 1
        shutil.rmtree(folder)
    shutil.rmtree(data_dir / WORK_FOLDER_NAME, ignore_errors=True)
    logger.info("Forgot %d rows in %d files.", sum(done.rows.values()), len(done.rows))
    return done


class _Owned:
    """The user's ids in every version of the data: a version goes by the latest one of what it was made from."""

    def __init__(self, owners: dict[str, int | None], files: list[StoredFile]) -> None:
        self.owners = owners
        self.sample_ids = {file.version: self._ids(file, "sample_id") for file in files if file.dataset == "samples"}
        self.texts = {file.version: self._texts(file) for file in files if file.dataset == "prompts"}

    def user(self, version: str) -> int | None:
        return _latest(self.owners, version)

    def samples(self, version: str) -> pa.Array:
        found = _latest(self.sample_ids, version)
        return pa.array([], pa.int32()) if found is None else found

    def prompts(self, version: str) -> set[str]:
        return _latest(self.texts, version) or set()

    def _ids(self, file: StoredFile, column: str) -> pa.Array:
        table = read_table(file.path, ["user_id", column])
        user = self.user(file.version)
        return table.filter(pc.equal(table["user_id"], -1 if user is None else user))[column].combine_chunks()

    def _texts(self, file: StoredFile) -> set[str]:
        table = read_table(file.path, ["sample_id", "prompt"])
        return set(table.filter(pc.is_in(table["sample_id"], self.samples(file.version)))["prompt"].to_pylist())


def _stored_files(data_dir: Path) -> Iterator[StoredFile]:
    for path in sorted(data_dir.glob("*/*/*/**/*")):
        layer, dataset, version = path.relative_to(data_dir).parts[:3]
        if path.is_file() and layer != WORK_FOLDER_NAME and path.suffix in _WAYS:
            yield StoredFile(dataset.partition(".")[0], version, path)


def _models(data_dir: Path) -> list[str]:
    folders = (path for name in MODELS for path in sorted(data_dir.glob(f"*/{name}/*")))
    return [path.relative_to(data_dir).as_posix() for path in folders]


def _exported_adapters(data_dir: Path, owned: _Owned) -> list[Path]:
    versions = sorted((data_dir / EXPORTS / USER_LORA).glob("*"))
    folders = [version / str(owned.user(version.name)) for version in versions]
    return [folder for folder in folders if folder.is_dir()]


def _learned(model: Path, files: list[StoredFile], owned: _Owned) -> bool:
    """Whether a model was made from a version of its data that holds the user."""
    source = {file.version: file for file in files if file.dataset == MODELS[model.parent.name]}
    seen = _latest(source, model.name)
    return seen is not None and bool(pc.any(_own_rows(read_table(seen.path), seen, owned)).as_py())


def _when(file: StoredFile) -> tuple[int, str]:
    last = KEPT_TO_THE_END.index(file.dataset) + 1 if file.dataset in KEPT_TO_THE_END else 0
    return last, file.path.as_posix()


def _user_id(users: Path, raw_id: str) -> int | None:
    table = read_table(users, ["user_id", "raw_id"])
    found = table.filter(pc.equal(table["raw_id"].cast(pa.string()), raw_id))["user_id"].to_pylist()
    return found[0] if found else None


def _latest(by_version: dict[str, Value], version: str) -> Value | None:
    """Return the value of the newest version that is not newer than ``version``."""
    earlier = [candidate for candidate in by_version if candidate <= version]
    return by_version[max(earlier)] if earlier else None


def _forget_in(file: StoredFile, owned: _Owned) -> int:
    return _WAYS[file.path.suffix](file, owned)


def _own_rows(rows: pa.Table | pa.RecordBatch, file: StoredFile, owned: _Owned) -> pa.Array | pa.ChunkedArray:
    """Return which rows are the user's; a table without user or sample ids has none."""
    names = rows.schema.names
    if "user_id" in names:
        user = owned.user(file.version)
        return pc.fill_null(pc.equal(rows["user_id"], -1 if user is None else user), False)
    if "sample_id" in names:
        return pc.is_in(rows["sample_id"], value_set=owned.samples(file.version))
    return pa.array([False] * rows.num_rows)


def _forget_in_table(file: StoredFile, owned: _Owned) -> int:
    """Rewrite a parquet file batch by batch, if it holds a row of the user."""
    with pq.ParquetFile(file.path) as source:
        removed = sum(pc.sum(_own_rows(batch, file, owned)).as_py() or 0 for batch in source.iter_batches())
        if not removed:
            return 0
        with atomic_file(file.path) as draft, pq.ParquetWriter(draft, source.schema_arrow, compression="zstd") as sink:
            for batch in source.iter_batches():
                own = _own_rows(batch, file, owned)
                sink.write_batch(_emptied(batch, own) if file.dataset == "users" else batch.filter(pc.invert(own)))
    return int(removed)


def _emptied(users: pa.RecordBatch, own: pa.Array) -> pa.RecordBatch:
    """Take everything but the id out of the user's row: rows of ``users`` are found by their place."""
    columns = [
        column if name == "user_id" else pc.if_else(own, pa.scalar(None, column.type), column)
        for name, column in zip(users.schema.names, users.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=users.schema)


def _forget_in_tensors(file: StoredFile, owned: _Owned) -> int:
    if file.path.parent.name != file.version:
        return 0
    tensors = read_tensors(file.path)
    if "sample_id" not in tensors:
        return 0
    own = torch.isin(tensors["sample_id"], torch.tensor(owned.samples(file.version).to_pylist(), dtype=torch.int64))
    if own.any():
        kept = Tensors({name: tensor[~own].clone() for name, tensor in tensors.items()}, tensors.metadata)
        with atomic_file(file.path) as draft:
            write_tensors(draft, kept)
    return int(own.sum())


def _forget_in_lines(file: StoredFile, owned: _Owned) -> int:
    """Take the user's prompts out of an exported coreset, whose lines carry no ids."""
    texts = owned.prompts(file.version)
    lines = file.path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if _question(json.loads(line)) not in texts]
    if len(kept) < len(lines):
        with atomic_file(file.path) as draft:
            draft.write_text("".join(kept), encoding="utf-8")
    return len(lines) - len(kept)


def _question(record: dict[str, object]) -> object:
    messages = record.get("messages")
    return messages[0]["content"] if isinstance(messages, list) else record.get("prompt")


_WAYS = {".parquet": _forget_in_table, ".safetensors": _forget_in_tensors, ".jsonl": _forget_in_lines}
