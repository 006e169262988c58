"""Lines of fields with a fixed separator between them and no quotes, as the older MovieLens releases have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from coresift.corpus.engines.staging import FAULT
from coresift.corpus.formats.raw_files import RawFile
from coresift.corpus.formats.text_lines import text_lines

UNREADABLE_LINE = "unreadable line"


def read_separated(
    file: RawFile, columns: Sequence[str], separator: str, *, encoding: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Read lines into columns of text.

    Args:
        file: What to read.
        columns: Names of the fields of a line, all of them.
        separator: What stands between two fields.
        encoding: See :func:`~coresift.corpus.formats.text_lines.text_lines`.

    Yields:
        Batches of ``columns`` and ``FAULT``, which marks lines that have another number of fields.
    """
    schema = pa.schema([*((name, pa.string()) for name in columns), (FAULT, pa.string())])
    for lines in text_lines(file, encoding=encoding):
        fields = [line.split(separator) for line in lines]
        sound = [len(row) == len(columns) for row in fields]
        nothing = [None] * len(columns)
        rows = fields if all(sound) else [row if ok else nothing for row, ok in zip(fields, sound, strict=True)]
        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        faults = [None if ok else UNREADABLE_LINE for ok in sound]
        yield pa.record_batch([*map(pa.array, values, schema.types), pa.array(faults, pa.string())], schema=schema)
