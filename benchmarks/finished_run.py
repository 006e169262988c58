"""What a finished run left in its data folder, and samples drawn from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coresift.storage import TEST, newest_version


def newest(data: Path, dataset: str) -> Path:
    """Path of a dataset's newest version, as ``newest(data, "primary/samples.parquet")``."""
    found = newest_version(data / dataset)
    if found is None:
        raise FileNotFoundError(f"'{data}' holds no {dataset}: name the data folder of a finished run")
    return found


def newest_table(data: Path, dataset: str) -> pa.Table:
    """A table's newest version."""
    return pq.read_table(newest(data, dataset))


def versions(data: Path) -> dict[str, str]:
    """What tells one run's figures from another's: the folder, and its newest prompts and base model."""
    names = {"prompts": "primary/prompts.parquet", "base model": "primary/base_model"}
    return {"data": str(data.resolve())} | {name: newest(data, dataset).parent.name for name, dataset in names.items()}


def run_once(folder: Path, environment: str, pipelines: str, parameters: Mapping[str, object]) -> None:
    """Run some pipelines into a data folder, unless they have run there to the end."""
    if (folder / "whole").exists():
        return
    values = ",".join(f"{name}={value}" for name, value in {"data_dir": folder, **parameters}.items())
    command = [str(Path(sys.executable).parent / "kedro"), "run", "--env", environment]
    subprocess.run([*command, "--pipelines", pipelines, "--params", values], check=True)
    (folder / "whole").touch()


def of_split(table: pa.Table, split: int) -> pa.Table:
    """The rows of one split."""
    return table.filter(pc.equal(table["split"], split))


def drawn_users(samples: pa.Table, count: int) -> pa.Table:
    """At most ``count`` test samples drawn at random, in their order; 0 takes all."""
    test = of_split(samples, TEST)
    return test.take(np.sort(np.random.default_rng(0).permutation(len(test))[: count or len(test)]))


def weighing_the_same(sample_ids: pa.ChunkedArray | pa.Array) -> pa.Table:
    """A coreset of these samples with equal weights."""
    return pa.table({"sample_id": sample_ids, "weight": pa.array(np.ones(len(sample_ids)), pa.float32())})
