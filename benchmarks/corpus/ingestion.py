"""From raw interactions to samples: ours on DuckDB with bounded memory, pandas, and what other libraries do to load.

    python -m benchmarks.corpus.ingestion --quick             # up to one million rows, under 5 minutes
    python -m benchmarks.corpus.ingestion                     # to 100 million
    python -m benchmarks.corpus.ingestion --peer recbole=PYTHON --peer rectools=PYTHON    # also their loading
    python -m benchmarks.corpus.ingestion --spark --games FOLDER     # instead both engines, by hash of the samples

Every system reads the same file of shuffled rows with ids as text: popularity after Zipf and Mandelbrot, 3 % repeated
interactions, 1 % rows that cannot be used, 100 interactions per user. Ours and pandas do the same work: reject, drop
repeats, number, split by global time, one training sample per user with its history, all held-out samples, and write
them. RecBole and RecTools only load the interactions and number them, which is less.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.cells import Cells, Figures, Table, options_of
from benchmarks.peers import PeerError, add_peers, run_module

SIZES = (1_000_000, 10_000_000, 100_000_000)
LARGEST_BESIDE_OTHERS = 10_000_000
"""Beyond it only ours runs, from parquet: others keep the rows in memory."""
INTERACTIONS_PER_USER = 100
ITEMS = 200_000
MEMORY = "4GB"
SPREAD = 2000
"""Mandelbrot's shift of the ranks: the most popular item has about one in ten thousand interactions."""

SIMULATION = """
SELECT
    CASE WHEN row % 400 = 7 THEN NULL
         ELSE 'user-' || lpad(CAST(CAST(floor(user_draw * {users}) AS BIGINT) AS VARCHAR), 9, '0') END AS user_id,
    CASE WHEN row % 400 = 107 THEN 'no such item'
         ELSE 'B' || lpad(CAST(CAST(floor(
             {spread} * (pow(1 + {items} / {spread}, item_draw) - 1)) AS BIGINT) AS VARCHAR), 9, '0') END AS item_id,
    1 + (original * 7919) % 5 AS rating,
    CASE WHEN row % 400 IN (207, 307) THEN NULL
         ELSE CAST(1400000000 + floor(time_draw * 200000000) AS BIGINT) END AS timestamp
FROM (
    SELECT row, original,
           (hash(original * 4 + 1) >> 11) / pow(2, 53) AS user_draw,
           (hash(original * 4 + 2) >> 11) / pow(2, 53) AS item_draw,
           (hash(row * 4 + 3) >> 11) / pow(2, 53) AS time_draw
    FROM (SELECT range AS row, CASE WHEN range % 33 = 0 AND range > 0 THEN range - 1 ELSE range END AS original
          FROM range({rows}))
)
"""


def simulate(n_rows: int, folder: Path) -> dict[str, Path]:
    """Write the interactions as parquet and as RecBole's tab-separated file, and the items; return the paths."""
    import duckdb  # here, because the environments of peers lack it

    files = {name: folder / f"{name}-{n_rows}" for name in ("parquet", "inter", "items")}
    folder.mkdir(parents=True, exist_ok=True)
    query = SIMULATION.format(rows=n_rows, users=n_rows // INTERACTIONS_PER_USER, items=ITEMS, spread=SPREAD)
    items = (
        f"SELECT 'B' || lpad(CAST(range AS VARCHAR), 9, '0') AS item_id, 'Item ' || range AS title FROM range({ITEMS})"
    )
    named = ", ".join(f'{name} AS "{name}:{kind}"' for name, kind in _RECBOLE_COLUMNS.items())
    writing = {
        "parquet": (query, "FORMAT parquet"),
        "inter": (f"SELECT {named} FROM ({query})", "FORMAT csv, DELIMITER '\t', HEADER"),
        "items": (items, "FORMAT parquet"),
    }
    if n_rows > LARGEST_BESIDE_OTHERS:
        del writing["inter"]
    for name, (rows, form) in writing.items():
        if not files[name].exists():
            draft = files[name].with_suffix(".draft")
            duckdb.sql(f"COPY ({rows}) TO '{draft}' ({form})")
            draft.rename(files[name])
    return files


_RECBOLE_COLUMNS = {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float"}


def run_ours(files: dict[str, Path], form: str, folder: Path) -> Figures:
    """Ingest with DuckDB."""
    from coresift.corpus import IngestionOptions, Source, ingest_to_files

    columns = {name: f"{name}:{kind}" for name, kind in _RECBOLE_COLUMNS.items()}
    reading: Figures = {"format": "parquet"} if form == "parquet" else {"format": "csv", "columns": columns}
    report = ingest_to_files(
        Source("raw_interactions", path=str(files[form]), **reading),
        Source("raw_items", path=str(files["items"]), format="parquet"),
        Source.empty("raw_users"),
        folder,
        IngestionOptions(memory_limit=MEMORY, threads=2),
    )
    return {"kept": report["rows"]["without_repeats"], "samples": _n_samples(report)}


def _n_samples(report: Figures) -> int:
    return sum(part["samples"] for part in report["splits"].values())


def run_pandas(files: dict[str, Path], form: str, folder: Path) -> Figures:
    """Do the same work in memory, as one writes it with pandas."""
    import numpy as np
    import pandas as pd

    log = pd.read_parquet(files["parquet"]) if form == "parquet" else pd.read_csv(files["inter"], sep="\t")
    log.columns = [name.split(":")[0] for name in log.columns]
    items = pd.read_parquet(files["items"])
    usable = log["user_id"].notna() & log["timestamp"].notna() & log["item_id"].isin(items["item_id"])
    log[~usable].to_parquet(folder / "rejected.parquet")
    log = log[usable].sort_values("timestamp", kind="stable").drop_duplicates(["user_id", "item_id"])
    log["user_id"] = pd.factorize(log["user_id"], sort=True)[0].astype("int32")
    log["item_id"] = pd.Index(items["item_id"].sort_values()).get_indexer(log["item_id"]).astype("int32")
    each, rank = len(log) // 10, np.arange(len(log))
    log["split"] = np.select([rank >= len(log) - each, rank >= len(log) - 2 * each], [2, 1], 0).astype("int8")
    log = log.sort_values("user_id", kind="stable")
    log["position"] = log.groupby("user_id").cumcount().astype("int32")
    log.to_parquet(folder / "interactions.parquet")
    by_split = {split: part.groupby("user_id")["item_id"].agg(list) for split, part in log.groupby("split")}
    known = log[log["split"] < 2].groupby("user_id")["item_id"].agg(list)
    train = by_split[0][by_split[0].str.len() > 1]
    samples = [
        pd.DataFrame({"history": train.map(lambda row: row[:-1]), "targets": train.map(lambda row: row[-1:])}),
        *(
            pd.DataFrame({"history": before.reindex(part.index), "targets": part})
            for before, part in ((by_split[0], by_split[1]), (known, by_split[2]))
        ),
    ]
    pd.concat(samples).reset_index().to_parquet(folder / "samples.parquet")
    return {"kept": len(log), "samples": sum(map(len, samples))}


def run_recbole(files: dict[str, Path], form: str, folder: Path) -> Figures:
    """Load with RecBole, which reads its own kind of file only."""
    from recbole.config import Config
    from recbole.data import create_dataset

    (folder / "shop").mkdir()
    (folder / "shop" / "shop.inter").symlink_to(files["inter"].absolute())
    settings = {
        "data_path": str(folder),
        "load_col": {"inter": list(_RECBOLE_COLUMNS)},
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "TIME_FIELD": "timestamp",
        "rm_dup_inter": "first",
        "state": "ERROR",
    }
    sys.argv = sys.argv[:1]
    dataset = create_dataset(Config(model="Pop", dataset="shop", config_dict=settings))
    return {"kept": dataset.inter_num, "samples": None}


def run_rectools(files: dict[str, Path], form: str, folder: Path) -> Figures:
    """Load with RecTools, from a data frame of pandas."""
    import pandas as pd
    from rectools.dataset import Dataset

    log = pd.read_csv(files["inter"], sep="\t").dropna()
    log.columns = ["user_id", "item_id", "weight", "datetime"]
    log["datetime"] = pd.to_datetime(log["datetime"], unit="s")
    return {"kept": len(Dataset.construct(log).interactions.df), "samples": None}


SYSTEMS = {"coresift": run_ours, "pandas": run_pandas, "recbole": run_recbole, "rectools": run_rectools}
PEERS = ("recbole", "rectools")
OURS = {name: sys.executable for name in SYSTEMS if name not in PEERS}


def run_cell(system: str, form: str, n_rows: int, data: Path) -> None:
    """Run one system in this process and print what came of it."""
    import resource

    files = {name: data / f"{name}-{n_rows}" for name in ("parquet", "inter", "items")}
    with tempfile.TemporaryDirectory(dir=data) as folder:
        start = time.perf_counter()
        found = SYSTEMS[system](files, form, Path(folder))
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": round(seconds, 1), "peak_gb": round(peak, 2), **found}))


def measured(cells: Cells, python: str, system: str, form: str, n_rows: int, data: Path) -> Figures:
    """Return a finished cell, or run it in a process of its own; why one failed is told and not kept."""

    def measure() -> Figures:
        simulate(n_rows, data)
        return run_module(python, "benchmarks.corpus.ingestion", "--cell", system, form, n_rows, "--data", data)

    try:
        return cells.figures(f"ingestion-{system}-{form}-{n_rows}", measure)
    except PeerError as error:
        return {"failed": str(error)[:100]}


def measurements(systems: Iterable[str], sizes: tuple[int, ...]) -> Iterator[tuple[str, str, int]]:
    """System, file and rows of every cell: peers read their own kind of file, only ours goes beyond memory."""
    for system in systems:
        for form in ("parquet", "inter"):
            for n_rows in sizes:
                alone = system == "coresift" and form == "parquet"
                if not (system in PEERS and form == "parquet") and (n_rows <= LARGEST_BESIDE_OTHERS or alone):
                    yield system, form, n_rows


def report(cells: Cells, interpreters: dict[str, str], sizes: tuple[int, ...], data: Path) -> None:
    """Measure every cell, print a row for it and save the table."""
    table, found = Table(system=10, file=8, rows=12, seconds=9, s_a_million=12, peak_GB=8, kept=11, samples=9), {}
    for system, form, n_rows in measurements(interpreters, sizes):
        cell = measured(cells, interpreters[system], system, form, n_rows, data)
        found[f"{system} {form} {n_rows}"] = cell
        figures = ("seconds", "peak_gb", "kept", "samples")
        told = [cell["failed"]] if "failed" in cell else [str(cell[name] or "") for name in figures]
        if "seconds" in cell:
            told.insert(1, f"{cell['seconds'] / n_rows * 1e6:.2f}")
        table.row(system, form, str(n_rows), *told)
    cells.save_table(found)


def compare_engines(games: Path) -> None:
    """Ingest Games with both engines and print the hash of each sorted table of samples."""
    from coresift.corpus import Source, ingest
    from coresift.storage import fingerprint

    sources = [
        Source("raw_interactions", path=str(games / "interactions.parquet")),
        Source("raw_items", path=str(games / "items.parquet")),
        Source.empty("raw_users"),
    ]
    for samples in ({"samples": "last"}, {"samples": "all_prefixes", "max_history": 10}):
        for engine in ("duckdb", "spark"):
            start = time.perf_counter()
            limits = {"spark.driver.maxResultSize": "1m"}
            corpus = ingest(*sources, engine=engine, spark=limits, threads=2, **samples)
            table = corpus.samples.sort_by("sample_id")
            seconds = time.perf_counter() - start
            print(
                f"{engine:8} {samples} {table.num_rows} samples, hash {fingerprint(table)}, {seconds:.0f} s", flush=True
            )


def main() -> None:
    """Measure what is missing and print the table."""
    parser = options_of(__doc__, results="ingestion", quick="one million rows only")
    parser.add_argument("--rows", type=int, nargs="+", help="sizes instead of the usual ones")
    add_peers(parser, PEERS)
    parser.add_argument("--spark", action="store_true", help="compare engines on --games instead")
    parser.add_argument("--games", type=Path, help="folder of the Games corpus in the parquet schema")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "coresift-ingestion")
    parser.add_argument("--clean", action="store_true", help="remove the simulated files at the end")
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.spark and not options.games:
        parser.error("--spark compares the engines on the Games corpus: name its folder with --games")
    if options.cell:
        system, form, n_rows = options.cell
        run_cell(system, form, int(n_rows), options.data)
    elif options.spark:
        compare_engines(options.games)
    else:
        sizes = tuple(options.rows or (SIZES[:1] if options.quick else SIZES))
        report(Cells(options.out), OURS | dict(options.peers), sizes, options.data)
    if options.clean:
        shutil.rmtree(options.data, ignore_errors=True)


if __name__ == "__main__":
    main()
