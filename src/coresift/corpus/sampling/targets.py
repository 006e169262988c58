"""What samples ask for: the next items of a ranking sample, the judged item of a click."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from coresift.corpus.options import RankingTargets
from coresift.storage import SPLITS, TEST, TRAIN


def training_targets(counted: ir.Table, samples: RankingTargets, max_history: int) -> ir.Table:
    """Return one row per training sample.

    Args:
        counted: Interactions with the counts of ``with_counts_before``.
        samples: ``last``, one per user; ``sliding_window``, every one that ``max_history`` interactions precede, and
            the last of shorter sequences; ``all_prefixes``, every one.
        max_history: Length of the window.
    """
    train = counted.filter(counted["split"] == TRAIN)
    train = train.mutate(last_position=train["position"].max().over(group_by="user_id"))
    is_last = train["position"] == train["last_position"]
    wanted = {
        "last": is_last,
        "sliding_window": is_last | (train["n_before_0"] >= max_history),
        "all_prefixes": ibis.literal(True),
    }
    train = train.filter(wanted[samples])
    return train.select(
        "user_id",
        "split",
        "timestamp",
        first_position=train["position"],
        seen_until=ibis.literal(TRAIN, "int8"),
        n_history=train["n_before_0"],
        targets=ibis.array([train["item_id"]]),
        label=ibis.literal(1, "int8"),
        draw=ibis.literal(0, "int32"),
    )


def held_out_targets(counted: ir.Table) -> ir.Table:
    """Return one row per user and held-out split, with all items of that split in order."""
    rows = counted.filter(counted["split"] > TRAIN)
    in_order = ibis.struct({"position": rows["position"], "item_id": rows["item_id"]}).collect().sort()
    grouped = rows.group_by("user_id", "split").agg(
        timestamp=rows["timestamp"].min(),
        first_position=rows["position"].min(),
        n_train=rows["n_before_0"].min(),
        n_known=rows["n_before_1"].min(),
        in_order=in_order,
    )
    # Before a user's first validation target lies no other, so that n_known would do for validation too: the two agree
    # even where splits interleave, because both count neither later splits nor what comes after the target.
    is_test = grouped["split"] == TEST
    return grouped.select(
        "user_id",
        "split",
        "timestamp",
        "first_position",
        seen_until=(grouped["split"] - 1).cast("int8"),
        n_history=ibis.ifelse(is_test, grouped["n_known"], grouped["n_train"]),
        targets=grouped["in_order"].map(lambda entry: entry["item_id"]),
        label=ibis.literal(1, "int8"),
        draw=ibis.literal(0, "int32"),
    )


def click_targets(counted: ir.Table, positive_rating: float) -> ir.Table:
    """Return one row per interaction, labeled 1 where it is rated ``positive_rating`` or better, else 0.

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
