"""The files published with DEALRec (arXiv 2401.17197) become raw tables that any environment of the project reads.

The files are NumPy object arrays, which are pickles inside. They are read by an unpickler that knows how to rebuild
NumPy arrays and nothing else, so that a file from a stranger can hold data but no code.
"""

from __future__ import annotations

import html
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from coresift.storage import atomic_file, write_table

SPLIT_FILES = {"train": "training_dict.npy", "valid": "validation_dict.npy", "test": "testing_dict.npy"}
LONGEST_CATEGORY = 60
"""Longer entries of a category list are sentences of the product description that slipped in."""

_ARRAY_PARTS = {
    *((module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds arrays of plain Python values; everything else a pickle can name is refused."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - whatever a pickle names
        """Return one of the three names that an array is rebuilt with."""
        if (module, name) not in _ARRAY_PARTS:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def read_object_array(path: Path) -> dict[Any, Any]:
    """Read a .npy file that holds one dictionary of plain values.

    Args:
        path: the file.

    Raises:
        ValueError: the file is missing, no such array, or holds anything but arrays and plain values.
    """
    if not path.is_file():
        raise ValueError(f"'{path}' is missing: pass the folder of one corpus as published with DEALRec.")
    file = io.BytesIO(path.read_bytes())
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        content = _ArrayUnpickler(file).load().item() if shape == () and dtype == np.dtype(object) else None
    except pickle.UnpicklingError as error:
        raise ValueError(f"'{path}' is refused, because {error}: it may hold nothing but NumPy arrays.") from None
    except Exception as error:
        raise ValueError(f"'{path}' cannot be read as a NumPy file ({error}): download it again.") from None
    if not isinstance(content, dict):
        raise ValueError(f"'{path}' holds no dictionary: pass the folder of one corpus as published with DEALRec.")
    return content


def dealrec_interactions(folder: Path) -> pa.Table:
    """Return user_id, item_id, position and split of a published corpus; a user's items run train, valid, test.

    Args:
        folder: holds training_dict.npy, validation_dict.npy and testing_dict.npy: {user: [items, oldest first]}.

    Raises:
        ValueError: a file is missing or refused.
    """
    splits = [read_object_array(folder / file) for file in SPLIT_FILES.values()]
    users: list[int] = []
    items: list[int] = []
    positions: list[int] = []
    parts: list[int] = []
    for user in sorted(set().union(*splits)):
        bought = [(item, part) for part, split in enumerate(splits) for item in split.get(user, [])]
        users += [user] * len(bought)
        positions += range(len(bought))
        items += [item for item, _ in bought]
        parts += [part for _, part in bought]
    columns = [pa.array(values, pa.int32()) for values in (users, items, positions, parts)]
    split_column = pa.DictionaryArray.from_arrays(columns[3], pa.array(list(SPLIT_FILES)))
    return pa.table([*columns[:3], split_column], names=["user_id", "item_id", "position", "split"])


def dealrec_items(folder: Path) -> pa.Table:
    """Return the catalogue of a published corpus, in the order of its item ids.

    Columns: item_id; raw_id, the shop's; title as published and title_clean, without HTML entities and runs of
    blanks; has_title, false for placeholders; and, where the corpus has categories, category and category_raw.

    Args:
        folder: holds item_map.npy, title_maps.npy and possibly category_map.npy.

    Raises:
        ValueError: a file is missing or refused, or an item has no title.
    """
    raw_ids = {item: str(raw) for raw, item in _towards_items(read_object_array(folder / "item_map.npy")).items()}
    titles = read_object_array(folder / "title_maps.npy")["seqid2title"]
    ids = sorted(raw_ids)
    missing = [item for item in ids if str(item + 1) not in titles]
    if missing:
        raise ValueError(f"title_maps.npy in '{folder}' misses item {missing[0]}: download the file again.")
    published = [titles[str(item + 1)] for item in ids]
    columns: dict[str, Any] = {
        "item_id": pa.array(ids, pa.int32()),
        "raw_id": [raw_ids[item] for item in ids],
        "title": published,
        "title_clean": [" ".join(html.unescape(html.unescape(title)).split()) for title in published],
        "has_title": [title != f"title_{item + 1}" for item, title in zip(ids, published, strict=True)],
    }
    if (folder / "category_map.npy").is_file():
        raw = _categories(folder, ids)
        columns["category"] = [
            [entry for entry in map(html.unescape, entries) if len(entry) <= LONGEST_CATEGORY] for entries in raw
        ]
        columns["category_raw"] = raw
    return pa.table(columns)


def convert_dealrec(source: Path, target: Path) -> dict[str, int]:
    """Write interactions.parquet and items.parquet of a corpus published with DEALRec.

    Args:
        source: folder of the published files, for instance data/games of their repository.
        target: folder for the two tables, which ``--env games --params raw_dir=TARGET`` reads.

    Returns:
        The number of users, items and interactions.

    Raises:
        ValueError: a file is missing, damaged or holds anything but NumPy arrays.
    """
    interactions, items = dealrec_interactions(source), dealrec_items(source)
    for name, table in (("interactions", interactions), ("items", items)):
        with atomic_file(target / f"{name}.parquet") as draft:
            write_table(draft, table)
    users = len(interactions["user_id"].unique())
    return {"users": users, "items": items.num_rows, "interactions": interactions.num_rows}


def _towards_items(mapping: dict[Any, Any]) -> dict[Any, int]:
    """Return raw id -> item number, whichever way round the published map runs."""
    forward = all(isinstance(item, int) for item in mapping.values())
    return mapping if forward else {raw: item for item, raw in mapping.items()}


def _categories(folder: Path, ids: list[int]) -> list[list[str]]:
    """Return every item's category list: the published map repeats them under three kinds of keys."""
    maps = read_object_array(folder / "category_map.npy").values()
    by_number: dict[int, list[str]] = next((part for part in maps if all(isinstance(key, int) for key in part)), {})
    return [list(by_number.get(item, [])) for item in ids]
