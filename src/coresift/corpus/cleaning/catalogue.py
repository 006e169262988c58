"""The raw items and users: cleaned, and numbered densely from 0 in the order of their raw ids."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from coresift.corpus.cleaning.column_checks import (
    check_not_empty,
    check_types,
    holds_integers,
    is_id,
    is_text,
    is_text_or_list,
    written_fractions,
)
from coresift.corpus.cleaning.rejections import REASON, REPEATED, first_reason, kept, rejected
from coresift.corpus.engines.engine import Engine
from coresift.corpus.engines.staging import FAULT, SOURCE_ROW
from coresift.corpus.options import ItemText
from coresift.corpus.sources.source import Source, open_source
from coresift.corpus.spelling.values import (
    cleaned_path,
    cleaned_text,
    identifier,
    identifier_problems,
    path_from_text,
    with_text_of_bytes,
)

USER = "_coresift_user"
"""Name of the column with the ids of users as text; profiles may have a column of any plainer name."""

_RESERVED = "raw_id"
"""The column of the contract that a profile cannot have."""

_ID = (is_id, "numbers or text")
_ITEM_TYPES = {
    "item_id": _ID,
    "title": (is_text, "text"),
    "category": (is_text_or_list, "text or lists of text"),
}


@dataclass(frozen=True)
class Entities:
    """Items or users that were read.

    Attributes:
        source: Where they come from.
        rows: Usable rows; for items: item (id as text), item_id, raw_id, title, has_title, categories, text;
            for users: ``USER`` (id as text) and profile columns.
        rejected: Unusable rows: source, row, reason.
        n_rows: Number of rows of the source.
        surprises: Number of values that are read as another than they are written, by what they are.
    """

    source: Source
    rows: ir.Table
    rejected: ir.Table
    n_rows: int
    surprises: dict[str, int]


def read_items(source: Source, engine: Engine, *, item_text: ItemText = "title") -> Entities:
    """Read the catalogue: every row of the raw items that has an id of its own.

    Args:
        source: The raw items.
        engine: Where to read them.
        item_text: What a language model reads: the title, or the title and the leaf of the category path.

    Returns:
        The items. One without title is called ``Item <raw id>``.

    Raises:
        ValueError: If a column is missing or of the wrong type, or if there are no rows.
    """
    table = open_source(source, engine, required=("item_id", "title"), optional=("category",))
    table = with_text_of_bytes(table, _ITEM_TYPES)
    check_types(table, source, _ITEM_TYPES)
    n_rows = check_not_empty(table, source, engine)
    title = cleaned_text(table["title"]).nullif("")
    marked = engine.materialize(
        table.select(
            SOURCE_ROW,
            _fault(table, "item_id"),
            item=identifier(table["item_id"]),
            title=title,
            categories=_categories(table),
        ).mutate(_reason("item", "item_id", "title"))
    )
    known = kept(marked).drop(SOURCE_ROW, FAULT)
    numbered = known.mutate(item_id=dense_ids(known["item"], numeric=holds_integers(table["item_id"], source, engine)))
    items = engine.materialize(_with_text(numbered, item_text))
    return Entities(source, items, rejected(marked, source), n_rows, written_fractions(table, engine, "item_id"))


def read_users(source: Source, engine: Engine) -> Entities:
    """Read the profiles of users; there may be none.

    Raises:
        ValueError: If there is no column ``user_id``, or if it cannot hold ids.
    """
    table = open_source(source, engine, required=("user_id",))
    table = with_text_of_bytes(table, ["user_id"])
    check_types(table, source, {"user_id": _ID})
    marked = table.mutate(_fault(table, "user_id"), identifier(table["user_id"]).name(USER))
    marked = marked.mutate(_reason(USER, "user_id"))
    reserved = [name for name in marked.columns if name.lower() == _RESERVED]
    marked = engine.materialize(marked.drop("user_id", *reserved))
    surprises = written_fractions(table, engine, "user_id")
    known = kept(marked).drop(SOURCE_ROW, FAULT)
    return Entities(source, known, rejected(marked, source), engine.count(marked), surprises)


def number_users(log: ir.Table, profiles: ir.Table, engine: Engine, *, numeric: bool) -> ir.Table:
    """Number the users who have interactions.

    Args:
        log: Interactions with column ``user``.
        profiles: What ``read_users`` returned.
        engine: Where to compute.
        numeric: Whether raw ids are numbers.

    Returns:
        ``USER`` (id as text), user_id, raw_id and the profile columns, null for users without a profile.
    """
    users = log.select(log["user"].name(USER)).distinct()
    users = users.mutate(user_id=dense_ids(users[USER], numeric=numeric), raw_id=users[USER])
    return engine.materialize(users.left_join(profiles, USER).drop(f"{USER}_right"))


def dense_ids(key: ir.StringColumn, *, numeric: bool) -> ir.IntegerColumn:
    """Return int32 numbers from 0 in the order of ids that are held as text, by their value if they are numbers."""
    order = [key.try_cast("int64"), key] if numeric else [key]
    return ibis.row_number().over(order_by=order).cast("int32")


def _fault(table: ir.Table, name: str) -> ir.StringColumn:
    """Return why a row cannot be read: as a whole, or because its id is none."""
    return ibis.coalesce(table[FAULT], first_reason(identifier_problems(table[name], name))).name(FAULT)


def _reason(key: str, name: str, described_by: str | None = None) -> ir.Deferred:
    """Return why a row cannot be used: its fault, or that an earlier row has its id, with the same title or another."""
    row = ibis._
    occurrence = ibis.row_number().over(group_by=key, order_by=SOURCE_ROW)
    problems = {}
    if described_by is not None:
        first = row[described_by].first(include_null=True).over(group_by=key, order_by=SOURCE_ROW)
        differs = ~row[described_by].identical_to(first)
        problems[f"{REPEATED} {name}"] = (occurrence > 0) & ~differs
    problems[f"duplicate {name}"] = occurrence > 0
    return ibis.coalesce(row[FAULT], first_reason(problems)).name(REASON)


def _categories(table: ir.Table) -> ir.ArrayColumn:
    """Return category paths, root first; empty where there is none."""
    none = ibis.array([""])[:0]  # an empty list of text, where a literal one would have no type on Spark
    if "category" not in table.columns:
        return none
    column = table["category"]
    path = cleaned_path(column) if column.type().is_array() else path_from_text(column.cast("string"))
    return ibis.coalesce(path, none)


def _with_text(items: ir.Table, item_text: ItemText) -> ir.Table:
    """Add raw_id, a title for items that have none, and the text that a language model reads."""
    title = ibis.coalesce(items["title"], ibis.literal("Item ") + items["item"])
    items = items.mutate(raw_id=items["item"], has_title=items["title"].notnull(), title=title)
    if item_text == "title":
        return items.mutate(text=items["title"])
    categories = items["categories"]
    leaf = categories[categories.length() - 1]
    text = ibis.ifelse(categories.length() > 0, items["title"] + " (" + leaf + ")", items["title"])
    return items.mutate(text=text)
