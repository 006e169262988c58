"""Forget a user: take rows, states and exports out of a data directory, and name the models that saw them."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError

from coresift.personalization.stored_files import (
    EXPORTS,
    NOBODY,
    StoredFile,
    numberings_of,
    possible,
    sources_of,
    stored_file,
    stored_files,
    unfinished,
)
from coresift.personalization.user_rows import UnknownOriginError, UserRows
from coresift.storage import Tensors, atomic_file, read_table, read_tensors, work_in_progress, write_tensors

logger = logging.getLogger(__name__)

LAST = ("prompts", "coreset", "interactions", "samples", "users")
"""Datasets that say which rows of others are the user's; they go last, so that a killed run can be repeated."""
MODELS = {"surrogate_weights": "interactions", "adapter": "coreset"}
"""Models, and the dataset whose rows of the user they learned from."""
USER_LORA = "user_lora"
"""Exported LoRA folders of single users: ``exports/user_lora/<adapter version>/<user id>``."""
UNKNOWN_ORIGIN = "nothing says which ingestion numbered its users, so the user's rows cannot be told from others'"
UNREADABLE = "it is damaged"


@dataclass
class Forgotten:
    """What was done.

    Attributes:
        rows: Rows removed, by path within the data directory.
        models: Model folders that learned from the user, and should be trained again.
        unreached: Why rows of the user may be left, by path within the data directory; such a version should be
            deleted, or made again.
    """

    rows: dict[str, int] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    unreached: dict[str, str] = field(default_factory=dict)


def forget_user(data_dir: Path, raw_id: str) -> Forgotten:
    """Remove a user from every version of every dataset, and nobody else.

    Which ids are the user's follows from the lineage of each version. Ids stay dense: the user's row in ``users``
    remains, without raw id and profile. What killed runs left unfinished, which may hold the user's rows, is deleted.
    Raw data outside the directory is not touched: a new ingestion brings the user back.

    Args:
        data_dir: The project's data folder, on this machine.
        raw_id: The user's id as the raw data has it.

    Raises:
        ValueError: If no version of the data knows the user, or a run that may hold the user's rows is at work.
    """
    busy = work_in_progress(data_dir)
    if busy:
        raise ValueError(
            f"a run works in '{data_dir}' ({', '.join(busy)}) and may hold the user's rows: wait until it ends, or "
            "stop it"
        )
    files = stored_files(data_dir)
    numberings = numberings_of(files, raw_id)
    if all(numbering.user_id == NOBODY for numbering in numberings):
        raise ValueError(f"no user with raw id '{raw_id}' in '{data_dir}': check the id and the folder")
    removal = _Removal(data_dir, UserRows(raw_id, files, numberings))
    done = Forgotten(models=removal.models())
    for folder in removal.exported_adapters():
        done.rows[folder.relative_to(data_dir).as_posix()] = 1
        shutil.rmtree(folder)
    for file in sorted(files, key=_when):
        removal.from_file(file, done)
    for leftover in list(unfinished(data_dir)):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    logger.info("Forgot %d rows in %d files.", sum(done.rows.values()), len(done.rows))
    return done


def _when(file: StoredFile) -> tuple[int, str]:
    last = LAST.index(file.dataset) + 1 if file.dataset in LAST else 0
    return last, file.path.as_posix()


@dataclass(frozen=True)
class _Removal:
    """One user's removal from one data directory."""

    data_dir: Path
    rows: UserRows

    def from_file(self, file: StoredFile, done: Forgotten) -> None:
        """Rewrite a file without the user's rows, and note what was done."""
        name = file.path.relative_to(self.data_dir).as_posix()
        ways = {".parquet": self._from_table, ".safetensors": self._from_tensors, ".jsonl": self._from_lines}
        try:
            removed = ways[file.path.suffix](file)
        except UnknownOriginError:
            done.unreached[name] = UNKNOWN_ORIGIN
        except (pa.ArrowException, OSError, ValueError, SafetensorError):
            done.unreached[name] = UNREADABLE
        else:
            if removed:
                done.rows[name] = removed

    def models(self) -> list[str]:
        """Return the folders of the models that learned from the user."""
        folders = [folder for name in MODELS for folder in sorted(self.data_dir.glob(f"*/{name}/*"))]
        learned = (folder for folder in folders if self._learned(stored_file(self.data_dir, folder)))
        return [folder.relative_to(self.data_dir).as_posix() for folder in learned]

    def exported_adapters(self) -> list[Path]:
        """Return the folders with the user's own exported LoRA."""
        versions = sorted((self.data_dir / EXPORTS / USER_LORA).glob("*"))
        return [
            folder
            for version in versions
            for numbering in possible(stored_file(self.data_dir, version), self.rows.numberings)
            if (folder := version / str(numbering.user_id)).is_dir()
        ]

    def _learned(self, model: StoredFile) -> bool:
        sources = sources_of(model, MODELS[model.dataset], self.rows.files)
        return any(bool(self.rows.of_table(read_table(source.path), source).any()) for source in sources)

    def _from_table(self, file: StoredFile) -> int:
        """Rewrite a parquet file batch by batch, if it holds a row of the user."""
        with pq.ParquetFile(file.path) as source:
            removed = sum(int(self.rows.of_table(batch, file).sum()) for batch in source.iter_batches())
            if not removed:
                return 0
            schema = source.schema_arrow
            with atomic_file(file.path) as draft, pq.ParquetWriter(draft, schema, compression="zstd") as sink:
                for batch in source.iter_batches():
                    own = pa.array(self.rows.of_table(batch, file))
                    sink.write_batch(_emptied(batch, own) if file.dataset == "users" else batch.filter(pc.invert(own)))
        return removed

    def _from_tensors(self, file: StoredFile) -> int:
        """Rewrite tensors or a shard of them; weights of a model have no rows."""
        if file.path.parent != file.folder and not file.path.name.startswith("shard-"):
            return 0
        tensors = read_tensors(file.path)
        if "sample_id" not in tensors:
            return 0
        own = self.rows.of_sample_ids(tensors["sample_id"].numpy(), file)
        if own.any():
            kept = torch.from_numpy(~own)
            with atomic_file(file.path) as draft:
                write_tensors(draft, Tensors({name: t[kept].clone() for name, t in tensors.items()}, tensors.metadata))
        return int(own.sum())

    def _from_lines(self, file: StoredFile) -> int:
        lines = file.path.read_bytes().splitlines(keepends=True)
        own = self.rows.of_lines(lines, file)
        if own.any():
            with atomic_file(file.path) as draft:
                draft.write_bytes(b"".join(line for line, gone in zip(lines, own, strict=True) if not gone))
        return int(own.sum())


def _emptied(users: pa.RecordBatch, own: pa.Array) -> pa.RecordBatch:
    """Take everything but the id out of the user's row: rows of ``users`` are found by their place."""
    columns = [
        column if name == "user_id" else pc.if_else(own, pa.scalar(None, column.type), column)
        for name, column in zip(users.schema.names, users.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=users.schema)
