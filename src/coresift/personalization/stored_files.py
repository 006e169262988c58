"""The files of a data directory, and which ingestion numbered the users and samples in each of them.

User and sample ids mean something only together with the ingestion that gave them. A file tells it by its lineage; one
without lineage by its version, which it shares with the tables of the run that made it. Where neither tells, several
ingestions may stand behind a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from coresift.storage import WORK_FOLDER_NAME, Lineage, Location, read_lineage, read_table
from coresift.storage.atomic_writes import LEFT_OVER_PREFIX

EXPORTS = "exports"
"""Layer of what is exported for serving; its versions are those of the adapter that it was exported from."""

ADAPTER = Path("models") / "adapter"
NOBODY = -1
SUFFIXES = frozenset({".parquet", ".safetensors", ".jsonl"})


@dataclass(frozen=True)
class StoredFile:
    """One file of a versioned dataset, ``<layer>/<dataset>.<suffix>/<version>/...``.

    Attributes:
        dataset: Name of the dataset.
        version: Version of the dataset.
        path: The file.
        folder: Folder of the version.
        lineage: What the version was made from; None where nothing says so.
    """

    dataset: str
    version: str
    path: Path
    folder: Path
    lineage: Lineage | None

    def made_from(self, other: StoredFile) -> bool | None:
        """Whether this file rests on another, or on an equal one; None where its lineage does not tell."""
        if self.lineage is None or other.lineage is None:
            return True if self.version == other.version else None
        return self.lineage.rests_on(other.lineage)


@dataclass
class Numbering:
    """The ids that one ingestion gave to a user.

    Attributes:
        users: The table with the user's raw id, or without.
        user_id: The user's id; ``NOBODY`` where this ingestion does not know the user.
        sample_ids: Ids of the user's samples.
        others: Raw ids of everybody else.
    """

    users: StoredFile
    user_id: int
    others: set[str]
    sample_ids: set[int] = field(default_factory=set)


def stored_files(data_dir: Path) -> list[StoredFile]:
    """Return every file of every version that may hold rows of a user, in the order of their paths."""
    paths = sorted(path for path in data_dir.glob("*/*/*/**/*") if path.suffix in SUFFIXES and path.is_file())
    return [stored_file(data_dir, path) for path in paths if not _is_unfinished(path.relative_to(data_dir))]


def stored_file(data_dir: Path, path: Path) -> StoredFile:
    """Return a file, or a folder of a model, with the dataset, version and lineage that its place tells."""
    layer, dataset, version = path.relative_to(data_dir).parts[:3]
    folder = data_dir / layer / dataset / version
    described = data_dir / ADAPTER / version if layer == EXPORTS else folder
    lineage = read_lineage(Location(fsspec.filesystem("file"), str(described)))
    return StoredFile(dataset.partition(".")[0], version, path, folder, lineage)


def sources_of(file: StoredFile, dataset: str, files: Sequence[StoredFile]) -> list[StoredFile]:
    """Return the versions of a dataset that a file was made from, as far as can be told: one, or equal ones.

    Without lineage that is the version of the same run, else the newest that is not newer than the file.
    """
    versions = [other for other in files if other.dataset == dataset]
    sure = [other for other in versions if file.made_from(other)]
    earlier = [other for other in versions if file.made_from(other) is None and other.version <= file.version]
    return sure or earlier[-1:]


def numberings_of(files: Sequence[StoredFile], raw_id: str) -> list[Numbering]:
    """Return what every ingestion in the data directory calls a user."""
    numberings = [_numbering(file, raw_id) for file in files if file.dataset == "users"]
    for file in files:
        if file.dataset == "samples":
            for numbering in possible(file, numberings):
                numbering.sample_ids |= _sample_ids(file, numbering.user_id)
    return numberings


def possible(file: StoredFile, numberings: Sequence[Numbering]) -> list[Numbering]:
    """Return the numberings that a file may go by: one, several that agree, or several among which nothing decides."""
    sure = [numbering for numbering in numberings if file.made_from(numbering.users)]
    if sure:
        return sure
    return [
        numbering
        for numbering in numberings
        if file.made_from(numbering.users) is None and numbering.users.version <= file.version
    ]


def unfinished(data_dir: Path) -> Iterator[Path]:
    """Yield what killed runs left: work folders and drafts beside the datasets they were going to become."""
    yield from (
        path for path in (data_dir / WORK_FOLDER_NAME, *data_dir.glob(f"*/{WORK_FOLDER_NAME}")) if path.exists()
    )
    for path in sorted(data_dir.glob("*/*/**/.*")):
        if path.name.startswith(LEFT_OVER_PREFIX):
            yield path


def _is_unfinished(place: Path) -> bool:
    return WORK_FOLDER_NAME in place.parts or any(part.startswith(".") for part in place.parts)


def _numbering(users: StoredFile, raw_id: str) -> Numbering:
    table = _read(users, ["user_id", "raw_id"])
    names = table["raw_id"].cast(pa.string())
    found = table.filter(pc.equal(names, raw_id))["user_id"].to_pylist()
    return Numbering(users, found[0] if found else NOBODY, set(names.drop_null().to_pylist()) - {raw_id})


def _sample_ids(samples: StoredFile, user_id: int) -> set[int]:
    table = _read(samples, ["user_id", "sample_id"])
    return set(table.filter(pc.equal(table["user_id"], user_id))["sample_id"].to_pylist())


def _read(file: StoredFile, columns: list[str]) -> pa.Table:
    try:
        return read_table(file.path, columns)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"'{file.path}' is damaged: delete '{file.folder}', and forget the user again") from error
