"""Targets of click samples: every interaction is one impression, liked or not."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from coresift.corpus.sampling.splits import SPLITS


def click_targets(counted: ir.Table, positive_rating: float) -> ir.Table:
    """Return one row per interaction, labelled 1 where it is rated ``positive_rating`` or better, else 0.

    The history of an impression is all the user had before it in its own and earlier splits. Without a rating the
    interaction itself is the sign of interest: label 1.

    Args:
        counted: Interactions with the counts of ``with_counts_before``.
        positive_rating: Lowest rating of a liked item.
    """
    split = counted["split"]
    n_history = ibis.cases(*((split == number, counted[f"n_before_{number}"]) for number in SPLITS.values()))
    liked = ibis.coalesce(counted["rating"] >= positive_rating, ibis.literal(True))
    return counted.select(
        "user_id",
        "split",
        "timestamp",
        first_position=counted["position"],
        seen_until=split.cast("int8"),
        n_history=n_history,
        targets=ibis.array([counted["item_id"]]),
        label=liked.cast("int8"),
        draw=ibis.literal(0, "int32"),
    )
