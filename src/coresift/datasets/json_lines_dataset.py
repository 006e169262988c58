"""Lists of records, one JSON object per line."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from kedro_datasets._typing import JSONPreview

from coresift.datasets.located_dataset import LocatedDataset

Record = dict[str, Any]


class JsonLinesDataset(LocatedDataset[list[Record], list[Record]]):
    """Saves and loads a list of records as UTF-8 JSON lines, the form that fine-tuning tools read.

    Example:
        .. code-block:: yaml

            coreset_export:
              type: coresift.datasets.JsonLinesDataset
              filepath: data/model_input/coreset_export.jsonl
              versioned: true
    """

    def save(self, data: list[Record]) -> None:
        """Write one line per record, whole or not at all."""
        with self._target.writing_file() as draft, draft.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in data)

    def load(self) -> list[Record]:
        """Read every record."""
        with self._source.local_copy().open(encoding="utf-8") as stream:
            return [json.loads(line) for line in stream]

    def preview(self, nrows: int = 3) -> JSONPreview:
        """Return the first records for kedro-viz."""
        with self._source.local_copy().open(encoding="utf-8") as stream:
            return JSONPreview(json.dumps([json.loads(line) for line in islice(stream, nrows)]))
