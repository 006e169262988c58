"""Delimited text with a header (CSV and its relatives), every value as text, with faulty rows accounted for."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from coresift.corpus.engines.staging import FAULT, SOURCE_ROW
from coresift.corpus.formats.quoted_text import CheckedStream, Dialect, QuoteCheck
from coresift.corpus.formats.raw_files import RawFile
from coresift.corpus.formats.text_lines import decode

logger = logging.getLogger(__name__)

WRONG_NUMBER_OF_VALUES = "wrong number of values"
DELIMITERS = ",;\t|"
"""Delimiters that are told from the header."""

_WRITTEN_TAB = "\\t"
_BLOCK = 1 << 25
_LONGEST_HEADER = 1 << 20
_BYTE_BY_BYTE = "latin-1"
"""Encoding under which any bytes are text and can be had back, because the parser takes valid text only."""

_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_delimited(
    file: RawFile, *, delimiter: str | None = None, quote: str = '"', escape: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Read delimited text; values may be quoted and then hold delimiters and line ends.

    Args:
        file: What to read. Values that are not UTF-8 are read as Windows-1252.
        delimiter: What stands between values, a tab also as backslash and t; None takes the one that is most frequent
            in the header.
        quote: What may stand around values; empty if nothing does, so that every line is a row.
        escape: What takes the meaning of the mark behind it, such as a backslash; None if nothing does.

    Yields:
        Batches of one text column per name in the header, ``FAULT`` and ``SOURCE_ROW``. Rows with another number of
        values than the header are marked in ``FAULT`` and come last.

    Raises:
        ValueError: If the header cannot be used, if a quoted value goes on behind its closing quotation mark or is
            never closed, or if a row is longer than 32 MB.
    """
    names, dialect = _header(file, delimiter, quote, escape)
    faulty: list[int] = []
    next_row = 0
    with file.open() as content:
        stream = CheckedStream(content, dialect)
        for batch in _parsed(stream, names, dialect, faulty):
            rows = _numbers(len(batch), next_row, faulty)
            next_row = int(rows[-1]) + 1 if len(rows) else next_row
            values = [_text(column) for column in batch.columns]
            yield _batch(names, values, pa.nulls(len(batch), pa.string()), rows)
    n_inside = stream.n_lines - 1 - max([next_row, *(row + 1 for row in faulty)])
    if n_inside > 0:
        logger.warning(
            "%s: %d lines are part of quoted values; if they are rows, set quote to an empty text", file.name, n_inside
        )
    faults = pa.array([WRONG_NUMBER_OF_VALUES] * len(faulty), pa.string())
    yield _batch(names, [pa.nulls(len(faulty), pa.string())] * len(names), faults, np.array(faulty, dtype=np.int64))


def _header(file: RawFile, delimiter: str | None, quote: str, escape: str | None) -> tuple[list[str], Dialect]:
    """Return the names of the columns, and what tells values apart."""
    with file.open() as stream:
        raw = stream.read(_LONGEST_HEADER)
    if raw.startswith(_UTF_16_MARKS):
        raise ValueError(f"{file.name} is UTF-16: save it as UTF-8.")
    if len(raw) == _LONGEST_HEADER and not set(raw) & set(b"\r\n"):
        raise ValueError(f"{file.name} begins with a line longer than 1 MB: give a file that begins with a header.")
    line = re.split("[\r\n]", decode(raw.removeprefix(_BYTE_ORDER_MARK)).replace("\0", ""), maxsplit=1)[0]
    if not line.strip():
        raise ValueError(f"{file.name} is empty or begins with a blank line: give a file that begins with a header.")
    told = max(DELIMITERS, key=line.count) if delimiter is None else delimiter
    dialect = Dialect("\t" if told == _WRITTEN_TAB else told, quote, escape or None)
    names = [name.strip() or f"column_{place}" for place, name in enumerate(_names(line, dialect))]
    repeated = sorted({name for name in names if names.count(name) > 1 or name in (FAULT, SOURCE_ROW)})
    if repeated:
        raise ValueError(f"{file.name} has columns that cannot be told apart ({', '.join(repeated)}): rename them.")
    return names, dialect


def _names(line: str, dialect: Dialect) -> list[str]:
    """Return the values of a header.

    Raises:
        ValueError: If it cannot be read, or goes on in the next line.
    """
    if dialect.quote:
        check = QuoteCheck(dialect)
        check.feed(line.encode())
        check.finish()
        if check.fault:
            raise ValueError(f"in the header {check.fault}")
    try:
        return next(
            csv.reader(
                [line],
                delimiter=dialect.delimiter,
                quotechar=dialect.quote or None,
                escapechar=dialect.escape,
                quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            )
        )
    except csv.Error as error:
        raise ValueError(f"the header cannot be read ({error}): write names of columns into the first line.") from None


def _parsed(stream: CheckedStream, names: list[str], dialect: Dialect, faulty: list[int]) -> Iterator[pa.RecordBatch]:
    """Parse what follows the header.

    Raises:
        ValueError: If a quotation mark is not where one may be, or if a row is longer than a block.
    """
    try:
        yield from _open(stream, names, dialect, faulty) or ()
    except pa.ArrowInvalid as error:
        stream.check_quotes()
        if "straddling" in str(error):
            raise ValueError("a row is longer than 32 MB: give a file with one row per line.") from None
        raise
    stream.check_quotes()


def _open(
    stream: CheckedStream, names: list[str], dialect: Dialect, faulty: list[int]
) -> pa_csv.CSVStreamingReader | None:
    """Return a reader that notes the numbers of faulty rows; None where nothing follows the header."""

    def note(row: pa_csv.InvalidRow) -> str:
        faulty.append(row.number - 2)
        return "skip"

    try:
        return pa_csv.open_csv(
            pa.PythonFile(stream, mode="r"),
            read_options=pa_csv.ReadOptions(
                use_threads=False, column_names=names, skip_rows=1, block_size=_BLOCK, encoding=_BYTE_BY_BYTE
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote or False,
                escape_char=dialect.escape or False,
                newlines_in_values=bool(dialect.quote or dialect.escape),
                invalid_row_handler=note,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return None
        raise


def _numbers(n_rows: int, first: int, faulty: list[int]) -> NDArray[np.int64]:
    """Return the row numbers of the next sound rows: consecutive, but for the faulty ones between them."""
    candidates = np.arange(first, first + n_rows + len(faulty))
    return candidates[~np.isin(candidates, faulty)][:n_rows]


def _text(column: pa.Array) -> pa.Array:
    """Return values that were read byte by byte as the text that they are."""
    if pc.all(pc.string_is_ascii(column)).as_py() is not False:
        return column
    values = column.to_pylist()
    return pa.array([value and decode(value.encode(_BYTE_BY_BYTE)) for value in values], pa.string())


def _batch(names: Sequence[str], values: list[pa.Array], faults: pa.Array, rows: NDArray[np.int64]) -> pa.RecordBatch:
    """Return a batch with the two columns that every staged row has."""
    return pa.record_batch([*values, faults, pa.array(rows, pa.int64())], [*names, FAULT, SOURCE_ROW])
