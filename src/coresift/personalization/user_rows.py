"""Which rows of a stored file are a user's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coresift.personalization.stored_files import Numbering, StoredFile, possible, sources_of
from coresift.storage import read_table

Mask = NDArray[np.bool_]


class UnknownOriginError(Exception):
    """Several ingestions may have numbered a file, and they call the user differently; or none that is still here."""


@dataclass(frozen=True)
class UserRows:
    """Tells one user's rows from those of others.

    Attributes:
        raw_id: The user's id as the raw data has it.
        files: Every file of the data directory.
        numberings: What every ingestion calls the user.
    """

    raw_id: str
    files: Sequence[StoredFile]
    numberings: Sequence[Numbering]

    def of_table(self, rows: pa.Table | pa.RecordBatch, file: StoredFile) -> Mask:
        """Return which rows of a table are the user's; one without user or sample ids has none.

        Raises:
            UnknownOriginError: If nothing decides between numberings.
        """
        if not {"user_id", "sample_id"} & set(rows.schema.names):
            return np.zeros(rows.num_rows, dtype=bool)
        return self._decided([_rows_of(numbering, rows) for numbering in self._possible(file)], rows)

    def of_sample_ids(self, sample_ids: NDArray[np.integer], file: StoredFile) -> Mask:
        """Return which sample ids of a file are the user's.

        Raises:
            UnknownOriginError: If nothing decides between numberings.
        """
        return self._decided([np.isin(sample_ids, list(found.sample_ids)) for found in self._possible(file)])

    def of_lines(self, lines: Sequence[bytes], file: StoredFile) -> Mask:
        """Return which records of an exported coreset are the user's: they carry no ids, but come in order of rank.

        Raises:
            UnknownOriginError: If nothing decides between numberings, or a record could be the user's or another's.
        """
        for source in sources_of(file, "coreset", self.files):
            coreset = read_table(source.path)
            if "rank" in coreset.column_names and coreset.num_rows == len(lines):
                return np.array(self.of_table(coreset, source)[np.argsort(coreset["rank"].to_numpy())])
        return self._told_by_content([_content(json.loads(line)) for line in lines], file)

    def _possible(self, file: StoredFile) -> list[Numbering]:
        found = possible(file, self.numberings)
        if not found:
            raise UnknownOriginError
        return found

    def _decided(self, masks: Sequence[Mask], rows: pa.Table | pa.RecordBatch | None = None) -> Mask:
        """Return the rows on which all numberings agree; others are told by a raw id that stands in the row."""
        surely, perhaps = np.logical_and.reduce(masks), np.logical_or.reduce(masks)
        if not (perhaps & ~surely).any():
            return surely
        if rows is None:
            raise UnknownOriginError
        own, foreign = (_rows_naming(names, rows) for names in ({self.raw_id}, self._other_users()))
        if (perhaps & ~surely & ~own & ~foreign).any():
            raise UnknownOriginError
        return np.asarray(surely | (perhaps & own), dtype=bool)

    def _other_users(self) -> set[str]:
        return set().union(*(numbering.others for numbering in self.numberings))

    def _told_by_content(self, records: Sequence[tuple[str, ...]], file: StoredFile) -> Mask:
        """Return which lines hold a prompt of the user, or a prompt of several users with the user's response.

        Raises:
            UnknownOriginError: If a record could be the user's or another's.
        """
        own, foreign = set[tuple[str, ...]](), set[tuple[str, ...]]()
        for prompts in sources_of(file, "prompts", self.files):
            table = read_table(prompts.path)
            for content, mine in zip(_contents(table), self.of_table(table, prompts), strict=True):
                (own if mine else foreign).update((content[:1], content))
        mine = np.zeros(len(records), dtype=bool)
        for line, content in enumerate(records):
            told_by = content[:1] if content[:1] not in foreign else content
            mine[line] = told_by in own
            if mine[line] and told_by in foreign:
                raise UnknownOriginError
        return mine


def _rows_of(numbering: Numbering, rows: pa.Table | pa.RecordBatch) -> Mask:
    if "user_id" in rows.schema.names:
        own = pc.fill_null(pc.equal(rows["user_id"], numbering.user_id), False)
    else:
        own = pc.is_in(rows["sample_id"], value_set=pa.array(sorted(numbering.sample_ids), rows["sample_id"].type))
    return np.asarray(own, dtype=bool)


def _rows_naming(names: set[str], rows: pa.Table | pa.RecordBatch) -> Mask:
    """Return the rows in which a column of text holds one of the names."""
    found = np.zeros(rows.num_rows, dtype=bool)
    wanted = pa.array(sorted(names), pa.string())
    for column in rows.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            found |= np.asarray(pc.is_in(column.cast(pa.string()), value_set=wanted), dtype=bool)
    return found


def _contents(prompts: pa.Table) -> list[tuple[str, ...]]:
    columns = [prompts[name].to_pylist() for name in ("prompt", "response") if name in prompts.column_names]
    return list(zip(*columns, strict=True))


def _content(record: dict[str, object]) -> tuple[str, ...]:
    """Return the prompt and the response of an exported record."""
    messages = record.get("messages")
    parts = [part["content"] for part in messages] if isinstance(messages, list) else record.values()
    return tuple(str(part) for part in parts)
