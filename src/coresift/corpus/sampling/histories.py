"""What a user had before a target: whole sequences, or only the part that a bounded history needs."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from coresift.corpus.engines.engine import Engine
from coresift.storage import SPLITS

ROWS_AT_ONCE = 20_000_000
"""Interactions that are collected into sequences together."""

LONGEST_UNASKED = 1_000
"""Length of histories that grow with every interaction, where none was asked for: all those of one user together grow
with the square of its sequence without it."""

MOST_ENTRIES = 2_000_000_000
"""Items in all histories together above which they must be bounded."""


def with_counts_before(interactions: ir.Table) -> ir.Table:
    """Count, before every interaction, those of its user that belong to a split up to each one.

    Returns:
        The interactions with ``n_before_0``, ``n_before_1``, ``n_before_2``: training only, training and validation,
        all of them.
    """
    before = ibis.window(group_by="user_id", order_by="position", preceding=(None, 1))
    counts = {
        f"n_before_{split}": ibis.coalesce((interactions["split"] <= split).cast("int64").sum().over(before), 0)
        for split in SPLITS.values()
    }
    return interactions.mutate(**counts)


def with_histories(
    targets: ir.Table, counted: ir.Table, engine: Engine, *, seen_until: Sequence[int], longest: int
) -> ir.Table:
    """Give every target the items and ratings that came before it, oldest first.

    A user's sequence is cut into chunks of ``longest``; a history lies in the target's chunk and the one before it,
    so that no more than two chunks are ever joined to a target, however long the sequence.

    Args:
        targets: user_id, seen_until (the last split that histories may contain), n_history (how many interactions of
            these splits come before), and any further columns.
        counted: What ``with_counts_before`` returned.
        engine: Where to compute.
        seen_until: The values that occur in that column.
        longest: Longest history, in interactions; 0 keeps all.

    Returns:
        The targets with ``history`` and ``history_ratings``.

    Raises:
        ValueError: If histories would hold too many items together.
    """
    _check_size(targets, engine, longest)
    sequences = _sequences(counted, engine, seen_until, longest)
    end = targets["n_history"]
    chunk = ibis.greatest(end - 1, 0) // longest if longest else ibis.literal(0, "int64")
    start = ibis.greatest(end - longest, 0) if longest else ibis.literal(0, "int64")
    placed = targets.mutate(chunk=chunk.cast("int64"), end=end.cast("int64"), start=start.cast("int64"))
    return _joined(placed, sequences, longest)


def bound_of(targets: ir.Table, engine: Engine, longest: int) -> tuple[int, int]:
    """Return the length that histories are cut to, and how many are longer although no length was asked for.

    Args:
        targets: Targets of which every interaction of a user may be one, with n_history.
        engine: Where to count.
        longest: The length that was asked for; 0 for none.
    """
    n_cut = 0 if longest else engine.count(targets.filter(targets["n_history"] > LONGEST_UNASKED))
    return (LONGEST_UNASKED if n_cut else longest), n_cut


def _check_size(targets: ir.Table, engine: Engine, longest: int) -> None:
    """Stop before more is made than memory and disks hold."""
    lengths = ibis.least(targets["n_history"], longest) if longest else targets["n_history"]
    total = engine.rows(targets.agg(total=lengths.cast("float64").sum()))[0]["total"]
    if float(str(total or 0)) > MOST_ENTRIES:
        raise ValueError(
            f"the histories would hold {float(str(total)):.2g} items together: bound them with ingestion.max_history."
        )


def _sequences(counted: ir.Table, engine: Engine, seen_until: Sequence[int], size: int) -> ir.Table:
    """Collect the chunks of all users, some users at a time, because engines hold what they collect in memory."""
    n_parts = 1 + engine.count(counted) // ROWS_AT_ONCE
    collected = [
        engine.materialize(_chunks(counted.filter(counted["user_id"] % n_parts == part), split, size))
        for split in seen_until
        for part in range(n_parts)
    ]
    return ibis.union(*collected) if len(collected) > 1 else collected[0]


def _chunks(counted: ir.Table, seen_until: int, size: int) -> ir.Table:
    """Collect every user's items and ratings up to a split in chunks of ``size``, oldest first.

    An ordered collection exists on DuckDB only; collecting structs and sorting them works on Spark as well.
    """
    rows = counted.filter(counted["split"] <= seen_until)
    place = rows[f"n_before_{seen_until}"]
    rows = rows.mutate(chunk=(place // size if size else ibis.literal(0)).cast("int64"))
    entry = ibis.struct({"position": rows["position"], "item_id": rows["item_id"], "rating": rows["rating"]})
    grouped = rows.group_by("user_id", "chunk").agg(entries=entry.collect().sort())
    return grouped.select(
        "user_id",
        "chunk",
        seen_until=ibis.literal(seen_until, "int8"),
        items=grouped["entries"].map(lambda entry: entry["item_id"]),
        ratings=grouped["entries"].map(lambda entry: entry["rating"]),
    )


def _joined(placed: ir.Table, sequences: ir.Table, longest: int) -> ir.Table:
    """Join the chunk of every target, and the one before it where the history begins there, and cut them."""
    own = placed.left_join(sequences, ["user_id", "seen_until", "chunk"])
    own = own.select(*placed.columns, "items", "ratings")
    empty = {
        "items": ibis.literal([], type="array<int32>"),
        "ratings": ibis.literal([], type="array<float32>"),
    }
    whole = {name: ibis.coalesce(own[name], nothing) for name, nothing in empty.items()}
    first = own["start"]
    if longest:
        earlier = sequences.select(
            "user_id",
            "seen_until",
            chunk=sequences["chunk"] + 1,
            earlier_items=sequences["items"],
            earlier_ratings=sequences["ratings"],
        )
        both = own.left_join(earlier, ["user_id", "seen_until", "chunk"])
        both = both.select(*own.columns, "earlier_items", "earlier_ratings")
        whole = {
            name: ibis.coalesce(both[f"earlier_{name}"], nothing).concat(ibis.coalesce(both[name], nothing))
            for name, nothing in empty.items()
        }
        first = both["start"] - ibis.greatest(both["chunk"] - 1, 0) * longest
        own = both
    n_history = own["end"] - own["start"]
    cut = {name: array[first : first + n_history] for name, array in whole.items()}
    return own.select(
        *[name for name in placed.columns if name not in ("chunk", "start", "end")],
        history=cut["items"],
        history_ratings=cut["ratings"],
    )
