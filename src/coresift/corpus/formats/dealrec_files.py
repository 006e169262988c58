"""The files published with DEALRec (arXiv 2401.17197) become raw tables that any environment of the project reads.

The files are NumPy object arrays, which are pickles inside. They are read as plain values and nothing else, so that a
file from a stranger can hold data but no code.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pyarrow as pa

from coresift.corpus.formats.object_arrays import read_object_array
from coresift.storage import atomic_file, write_table

SPLIT_FILES = {"train": "training_dict.npy", "valid": "validation_dict.npy", "test": "testing_dict.npy"}
LONGEST_CATEGORY = 60
"""Longer entries of a category list are sentences of the product description that slipped in."""


def dealrec_interactions(folder: Path) -> pa.Table:
    """Return user_id, item_id, position and split of a published corpus; a user's items run train, valid, test.

    Args:
        folder: Holds training_dict.npy, validation_dict.npy and testing_dict.npy: {user: [items, oldest first]}.

    Raises:
        ValueError: A file is missing or refused.
    """
    splits = [_items_by_user(folder / file) for file in SPLIT_FILES.values()]
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
        folder: Holds item_map.npy, title_maps.npy and possibly category_map.npy.

    Raises:
        ValueError: A file is missing or refused, or an item has no title.
    """
    raw_ids = {item: str(raw) for raw, item in _towards_items(folder / "item_map.npy").items()}
    titles = read_object_array(folder / "title_maps.npy").get("seqid2title")
    if not isinstance(titles, dict) or not all(isinstance(title, str) for title in titles.values()):
        raise ValueError(f"title_maps.npy in '{folder}' holds no titles by item (seqid2title): download it again.")
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
        source: Folder of the published files, for instance data/games of their repository.
        target: Folder for the two tables, which ``--env games --params raw_dir=TARGET`` reads.

    Returns:
        The number of users, items and interactions.

    Raises:
        ValueError: A file is missing, damaged or holds anything but NumPy arrays.
    """
    interactions, items = dealrec_interactions(source), dealrec_items(source)
    for name, table in (("interactions", interactions), ("items", items)):
        with atomic_file(target / f"{name}.parquet") as draft:
            write_table(draft, table)
    users = len(interactions["user_id"].unique())
    return {"users": users, "items": items.num_rows, "interactions": interactions.num_rows}


def _items_by_user(path: Path) -> dict[int, list[int]]:
    """Return the items that each user bought in one split."""
    content = read_object_array(path)
    if not all(_is_number(user) and isinstance(items, list) for user, items in content.items()):
        raise ValueError(f"'{path}' holds no lists of items by user: download it again.")
    if not all(_is_number(item) for items in content.values() for item in items):
        raise ValueError(f"'{path}' holds items that are no numbers: download it again.")
    return content


def _is_number(value: object) -> bool:
    """Tell whether a value is a number of a user or an item."""
    return type(value) is int and 0 <= value < 2**31


def _towards_items(path: Path) -> dict[Any, int]:
    """Return raw id -> item number, whichever way round the published map runs."""
    mapping = read_object_array(path)
    for numbered in (mapping, {raw: item for item, raw in mapping.items() if type(raw) in (int, str)}):
        if all(_is_number(item) for item in numbered.values()) and len(numbered) == len(mapping):
            return numbered
    raise ValueError(f"'{path}' holds no numbers of items by their ids: download it again.")


def _categories(folder: Path, ids: list[int]) -> list[list[str]]:
    """Return every item's category list: the published map repeats them under three kinds of keys."""
    maps = [part for part in read_object_array(folder / "category_map.npy").values() if isinstance(part, dict)]
    by_number: dict[int, Any] = next((part for part in maps if all(isinstance(key, int) for key in part)), {})
    found = [by_number.get(item, []) for item in ids]
    if not all(isinstance(entries, list) and all(isinstance(entry, str) for entry in entries) for entries in found):
        raise ValueError(f"category_map.npy in '{folder}' holds no lists of categories: download it again.")
    return found
