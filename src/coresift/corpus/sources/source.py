"""Where raw rows come from, and how they become one kind of expression whatever their form."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import ibis.expr.types as ir
import pyarrow as pa

from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.staging import FAULT, SOURCE_ROW, never_filled, stage
from coresift.corpus.formats.columns import all_columns, listed, missing_columns
from coresift.corpus.formats.parquet_parts import ParquetPart, read_parts
from coresift.corpus.formats.raw_files import DAMAGED, RawFile, files_at
from coresift.corpus.sources.addresses import is_url, local_path, masked
from coresift.corpus.sources.databases import read_database
from coresift.corpus.sources.downloads import AbsentFileError, fetch, file_name
from coresift.corpus.sources.readers import FORMATS, READERS, Reading, format_told_by
from coresift.storage import disk_failure


@dataclass(frozen=True, repr=False)
class Source:
    """One raw table: a file, part of a release of several files, a table of a database or one in memory.

    Attributes:
        name: Name of the dataset, for messages and rejected rows.
        path: File, folder, zip archive or URL; for the format ``database`` the address that Ibis connects to.
        format: One of ``coresift.corpus.FORMATS``; None takes it from the file's name.
        part: For releases of several files, which table: interactions, items or users.
        table: Table in memory, instead of ``path``.
        columns: Names of columns in the file by the name they have here, for those that differ:
            ``{"user_id": "reviewerID"}``.
        delimiter: Of CSV; None takes the most frequent one of the header.
        quote: Of CSV: what stands around values that hold delimiters or line ends; empty where nothing does.
        escape: Of CSV: what stands before a quotation mark, a delimiter, a line end or itself inside a value, such as
            a backslash; None where quotation marks inside values are doubled.
        checksum: What a download must hash to, as ``sha256:<digits>``; None checks its length only.
        cache: Folder of downloads; None is the user's cache folder.
        database_table: Name of the table in the database.
        optional: Whether a file or a table of a database that does not exist stands for one without rows.
    """

    name: str
    path: str | None = None
    format: str | None = None
    part: str | None = None
    table: pa.Table | None = None
    columns: Mapping[str, str] | None = None
    delimiter: str | None = None
    quote: str = '"'
    escape: str | None = None
    checksum: str | None = None
    cache: str | None = None
    database_table: str | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        """Refuse a source of nothing or of two things.

        Raises:
            ValueError: Unless exactly one of ``path`` and ``table`` is given.
        """
        if (self.path is None) == (self.table is None):
            raise ValueError(f"{self.name} must be given either a path or a table, and not both.")

    def __repr__(self) -> str:
        """Return what differs from the defaults, without rows and without the secrets of the address."""
        shown = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        shown["path"] = None if self.path is None else masked(self.path)
        shown["table"] = None if self.table is None else f"{self.table.num_rows} rows"
        chosen = [f"{entry.name}={shown[entry.name]!r}" for entry in fields(self) if shown[entry.name] != entry.default]
        return f"Source({', '.join(chosen)})"

    @classmethod
    def empty(cls, name: str) -> Source:
        """Return a source without rows, which stands for an optional table that does not exist."""
        return cls(name, table=pa.table({"user_id": pa.array([], pa.string())}))

    @property
    def has_types(self) -> bool:
        """Whether columns have the types that their owner gave them; text formats have none."""
        return self.path is None or _format(self) in ("parquet", "database")

    @property
    def shown(self) -> str:
        """What messages call the source: its name, and its path if it has one."""
        return self.name if self.path is None else f"{self.name} ({masked(self.path)})"


def open_source(
    source: Source, engine: Engine, *, required: Sequence[str] = (), optional: Sequence[str] | None = None
) -> ir.Table:
    """Read a source into the engine, with its columns renamed.

    Args:
        source: What to read.
        engine: Where to read it.
        required: Columns that must be there.
        optional: Columns to read if they are there; None reads every column.

    Returns:
        Every row of the source, numbered in ``SOURCE_ROW``; ``FAULT`` says why a row could not be read.

    Raises:
        ValueError: If the file is missing or damaged, or if a column is absent or cannot be told from another.
    """
    with _named_after(source, engine):
        parts = _parts(source, engine, required, optional)
        columns = _columns(source, [part.names for part in parts], required, optional)
        return engine.materialize(read_parts(parts, columns, engine))


def check_apart(source: Source, folder: Path, targets: Sequence[Path]) -> None:
    """Stop if writing tables would replace a raw one, or would mix with a folder of raw files.

    Args:
        source: The raw table.
        folder: Where tables will be written.
        targets: The tables in it, files or folders.

    Raises:
        ValueError: If the source is the folder, or is or lies in one of the targets.
    """
    if source.path is None:
        return
    path, output = Path(local_path(source.path)), folder.resolve()
    places = {path.resolve(), path.parent.resolve() / path.name}  # where a link leads, and the link itself
    around = {parent for place in places for parent in place.parents}
    if output in places or not (places | around).isdisjoint(output / target.name for target in targets):
        raise ValueError(
            f"{source.shown} lies where ingestion writes ({folder}), so that it would be replaced: choose another "
            f"output folder."
        )


@contextmanager
def _named_after(source: Source, engine: Engine) -> Iterator[None]:
    """Turn errors of reading into one sentence that names the source."""
    try:
        yield
    except (*engine.errors, *DAMAGED, pa.ArrowNotImplementedError) as error:
        if disk_failure(error) is not None:
            raise  # the source is as it should be
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        kind = "a table in memory" if source.path is None else f"a complete {_format(source)} file"
        raise ValueError(
            f"{source.shown} cannot be read as {kind}: replace it, or set its format ({reason})."
        ) from error
    except ValueError as error:
        if str(error).startswith(source.name):
            raise
        raise ValueError(f"{source.shown}: {error}") from error


def _parts(
    source: Source, engine: Engine, required: Sequence[str], optional: Sequence[str] | None
) -> list[ParquetPart]:
    """Return the parquet files that hold the source: its own, or the one that its rows are staged in."""
    if source.table is not None:
        return _staged(
            source.table.to_batches() or [pa.RecordBatch.from_pylist([], schema=source.table.schema)], engine
        )
    kind = _format(source)
    if kind == "database":
        rows = read_database(str(source.path), source.database_table, optional=source.optional)
        return _staged(rows, engine)
    files = _files(source)
    if files is None:
        return _staged(
            [pa.RecordBatch.from_pylist([], schema=pa.schema({name: pa.string() for name in required}))], engine
        )
    if kind == "parquet":
        parquet = [file for file in files if format_told_by(file) == "parquet"] or files
        if not parquet:
            raise ValueError(f"{source.shown} has no parquet files: put them into the folder itself, not below it.")
        parts = [ParquetPart.at(file.path) for file in parquet]
        _check_decimals(source, parts)
        return parts
    mapping = source.columns or {}
    wanted = [*(mapping.get(name, name) for name in (*required, *(optional or ()))), *mapping.values()]
    reading = Reading(source.part, source.delimiter, source.quote, source.escape, None if optional is None else wanted)
    return _staged(READERS[kind](files, reading), engine, sparse=kind == "jsonl")


def _check_decimals(source: Source, parts: Sequence[ParquetPart]) -> None:
    """Stop at decimals that engines read as floating-point numbers."""
    long = {field.name for part in parts for field in part.fields.values() if pa.types.is_decimal256(field.type)}
    if long:
        raise ValueError(
            f"{source.shown}: {', '.join(sorted(long))} holds decimals of more than 38 digits, which are not read "
            "exactly: store it as text, or as decimals of at most 38 digits."
        )


def _files(source: Source) -> list[RawFile] | None:
    """Return the local files of a source, downloaded where it is a URL; None if it is optional and does not exist."""
    location = str(source.path)
    try:
        if is_url(location):
            cache = Path(source.cache) if source.cache else None
            return files_at(fetch(location, checksum=source.checksum, cache=cache))
    except AbsentFileError:
        if source.optional:
            return None
        raise
    path = Path(local_path(location))
    if path.exists() or source.optional:
        return files_at(path) if path.exists() else None
    raise ValueError(f"{source.shown} does not exist or is not a file: check raw_dir and the name of the file.")


def _staged(batches: Iterable[pa.RecordBatch], engine: Engine, *, sparse: bool = False) -> list[ParquetPart]:
    """Write rows to a parquet file that the engine can read.

    Columns that a ``sparse`` format leaves out where they have no value count as absent if they never have one.
    """
    file = stage(batches, engine.folder / f"staged-{uuid.uuid4().hex}.parquet")
    absent = set(never_filled(file)) - {FAULT, SOURCE_ROW} if sparse else set()
    return [ParquetPart.at(file, staged=True, absent=sorted(absent))]


def _columns(
    source: Source, tables: Sequence[Sequence[str]], required: Sequence[str], optional: Sequence[str] | None
) -> dict[str, str]:
    """Return which columns to read: names in the file by names here."""
    mapping = source.columns or {}
    tables = [[name for name in names if name not in (SOURCE_ROW, FAULT)] for names in tables]
    _require(mapping.values(), source, tables, expected="its column mapping names them")
    unmapped = [name for name in required if name not in mapping]
    _require(unmapped, source, tables, expected=_in_words(required, optional))
    if optional is None:
        return all_columns(tables, mapping, required)
    wanted = {name: mapping.get(name, name) for name in (*required, *optional)}
    absent = missing_columns(wanted.values(), tables)
    return {here: there for here, there in wanted.items() if there not in absent}


def _require(names: Iterable[str], source: Source, tables: Sequence[Sequence[str]], *, expected: str) -> None:
    """Stop unless a table has every one of the columns."""
    missing = missing_columns(names, tables)
    if missing:
        raise ValueError(
            f"{source.shown} has no column {', '.join(missing)} (it has {listed(tables)}): {expected}; "
            f"rename its columns, or map them."
        )


def _format(source: Source) -> str:
    """Return the format given, or the one that the file's name tells."""
    path = str(source.path)
    name = source.format or format_told_by(RawFile(Path(file_name(path) if is_url(path) else path)))
    if name not in FORMATS:
        raise ValueError(f"{source.shown} is of unknown format: set its format to one of {', '.join(FORMATS)}.")
    return name


def _in_words(required: Sequence[str], optional: Sequence[str] | None) -> str:
    """Return a sentence on the columns a source should have."""
    further = "any others" if optional is None else ", ".join(optional)
    return f"expected are {', '.join(required)}" + (f" and optionally {further}" if further else "")
