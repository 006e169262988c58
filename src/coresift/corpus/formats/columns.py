"""Which columns of a raw table are which of ours: by their exact names, else by names that differ in case only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def spelled(name: str, names: Sequence[str]) -> str | None:
    """Return how a table spells a column: exactly, else in the one way that differs in case only; None if it has none.

    Raises:
        ValueError: If several names differ from it in case only, or if several are equal to it.
    """
    if name in names:
        alike = [other for other in names if other == name]
    else:
        alike = [other for other in names if other.lower() == name.lower()]
    if len(alike) > 1:
        raise ValueError(f"columns {', '.join(alike)} cannot be told apart as {name}: rename all but one, or map one.")
    return alike[0] if alike else None


def all_columns(tables: Sequence[Sequence[str]], mapping: Mapping[str, str], required: Sequence[str]) -> dict[str, str]:
    """Return every column of a table, by the name that it has here.

    Args:
        tables: Names of the columns of each of its files.
        mapping: Names in the file by names here, for those that differ.
        required: Names that columns have here whatever their case in the file.

    Returns:
        Names in the file, in their order there, by names here. Columns whose place another one takes are left out.

    Raises:
        ValueError: If other columns of one file differ in case only, which engines cannot hold.
    """
    wanted = {name: mapping.get(name, name) for name in (*required, *mapping)}
    taken = {name.lower() for pair in wanted.items() for name in pair}
    found: dict[str, str] = {}
    for names in tables:
        others = [name for name in names if name.lower() not in taken]
        _check_apart(others)
        for place, name in enumerate(names):
            if name.lower() in taken:
                found |= {here: there for here, there in wanted.items() if there.lower() == name.lower()}
            elif name.lower() not in {other.lower() for other in found.values()}:
                found[name if name.strip() else f"column_{place}"] = name
    return found


def missing_columns(wanted: Iterable[str], tables: Sequence[Sequence[str]]) -> list[str]:
    """Return the columns that not one file of a table has."""
    return [name for name in wanted if all(spelled(name, names) is None for names in tables)]


def listed(tables: Sequence[Sequence[str]]) -> str:
    """Return the names of the columns of a table for messages."""
    return ", ".join(dict.fromkeys(name for names in tables for name in names))


def _check_apart(names: Sequence[str]) -> None:
    """Stop at names that differ in case only."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.lower(), name)
        if other != name or names.count(name) > 1:
            raise ValueError(f"columns {other}, {name} cannot be told apart: rename all but one.")
