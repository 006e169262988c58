"""Numbers in the order of some columns, computed bucket by bucket, so that no machine has to sort everything."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from coresift.corpus.engines.engine import Engine

_BUCKET = "bucket_of_order"


def with_number(
    table: ir.Table, name: str, engine: Engine, *, bucket: ir.IntegerColumn, order_by: Sequence[str]
) -> ir.Table:
    """Number rows from 0.

    Args:
        table: The rows.
        name: Name of the new int64 column.
        engine: Where to compute.
        bucket: A number that never falls along the order, such as the hour of a time; the finer, the more can be
            done side by side.
        order_by: Columns that order the rows, without ties.
    """
    placed = table.mutate(bucket.cast("int64").name(_BUCKET))
    sizes = placed.group_by(_BUCKET).agg(size=placed.count())
    before = ibis.window(order_by=_BUCKET, preceding=(None, 1))
    starts = engine.materialize(sizes.mutate(start=ibis.coalesce(sizes["size"].sum().over(before), 0)).drop("size"))
    within = ibis.row_number().over(group_by=_BUCKET, order_by=list(order_by))
    joined = placed.mutate(within.name(name)).join(starts, _BUCKET)
    return joined.mutate((joined["start"] + joined[name]).cast("int64").name(name)).drop("start", _BUCKET)
