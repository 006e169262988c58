"""Delimited text with a header (CSV and its relatives), every value as text, with faulty rows accounted for."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from coresift.corpus.raw_files import RawFile
from coresift.corpus.staging import FAULT, SOURCE_ROW
from coresift.corpus.text_lines import decode

WRONG_NUMBER_OF_VALUES = "wrong number of values"
DELIMITERS = ",;\t|"
"""Delimiters that are told from the header."""

_BLOCK = 1 << 25
_LONGEST_HEADER = 1 << 20
_BYTE_BY_BYTE = "latin-1"
"""Encoding under which any bytes are text and can be had back, because the parser takes valid text only."""

_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_delimited(file: RawFile, *, delimiter: str | None = None) -> Iterator[pa.RecordBatch]:
    """Read delimited text; values may be quoted and then hold delimiters and line ends.

    Args:
        file: What to read. Values that are not UTF-8 are read as Windows-1252.
        delimiter: What stands between values; None takes the one that is most frequent in the header.

    Yields:
        Batches of one text column per name in the header, ``FAULT`` and ``SOURCE_ROW``. Rows with another number of
        values than the header are marked in ``FAULT`` and come last.

    Raises:
        ValueError: If the header cannot be used, or if a quotation mark is never closed.
        pyarrow.ArrowInvalid: If a row is longer than 32 MB.
    """
    names, delimiter = _header(file, delimiter)
    faulty: list[int] = []
    with file.open() as stream:
        counted = _CountingStream(stream)
        reader = _open(counted, names, delimiter, faulty)
        next_row = 0
        for batch in reader if reader is not None else ():
            rows = _numbers(len(batch), next_row, faulty)
            next_row = int(rows[-1]) + 1 if len(rows) else next_row
            values = [_text(column) for column in batch.columns]
            yield _batch(names, values, pa.nulls(len(batch), pa.string()), rows)
        n_read = max([next_row, *(row + 1 for row in faulty)])
        counted.check_quotes(n_read + 1)
    faults = pa.array([WRONG_NUMBER_OF_VALUES] * len(faulty), pa.string())
    yield _batch(names, [pa.nulls(len(faulty), pa.string())] * len(names), faults, np.array(faulty, dtype=np.int64))


def _header(file: RawFile, delimiter: str | None) -> tuple[list[str], str]:
    """Return the names of the columns and the delimiter."""
    with file.open() as stream:
        raw = stream.readline(_LONGEST_HEADER)
    if raw.startswith(_UTF_16_MARKS):
        raise ValueError(f"{file.name} is UTF-16: save it as UTF-8.")
    line = decode(raw.removeprefix(b"\xef\xbb\xbf")).replace("\0", "").splitlines()
    if not line or not line[0].strip():
        raise ValueError(f"{file.name} is empty or begins with a blank line: give a file that begins with a header.")
    chosen = delimiter or max(DELIMITERS, key=line[0].count)
    found = next(csv.reader([line[0]], delimiter=chosen))
    names = [name.strip() or f"column_{place}" for place, name in enumerate(found)]
    repeated = sorted({name for name in names if names.count(name) > 1 or name in (FAULT, SOURCE_ROW)})
    if repeated:
        raise ValueError(f"{file.name} has columns that cannot be told apart ({', '.join(repeated)}): rename them.")
    return names, chosen


def _open(
    stream: _CountingStream, names: list[str], delimiter: str, faulty: list[int]
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
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note),
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


class _CountingStream:
    """Hands a stream on and counts its lines and quotation marks, to notice a mark that is never closed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._n_quotes = self._n_lines = self._n_blank = 0
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Read and count."""
        data = self._stream.read(size)
        self._n_quotes += data.count(b'"')
        self._n_lines += data.count(b"\n")
        self._n_blank += data.count(b"\n\n") + data.count(b"\n\r\n")
        return data

    def close(self) -> None:
        """Leave the stream to whoever opened it."""

    def check_quotes(self, n_rows: int) -> None:
        """Stop if rows were swallowed by a value whose quotation mark is not closed.

        Raises:
            ValueError: If there are more lines than rows and an odd number of quotation marks.
        """
        if self._n_quotes % 2 and self._n_lines - self._n_blank > n_rows:
            raise ValueError("a quotation mark is never closed, so that rows after it are lost: repair that row.")
