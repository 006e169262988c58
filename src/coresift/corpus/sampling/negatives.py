"""Items that a user has not met, drawn by integer arithmetic on ids, so that every engine draws the same."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

MODULUS = 2_147_483_647
"""A prime below 2**31, so that a product of two remainders fits int64; x**5 permutes the remainders."""

_FACTORS = (1_103_515_245, 1_597_334_677, 747_796_405)
_SEED_FACTOR = 1_732_050_807
_SPARE = 10


def drawn_items(user_id: ir.Value, position: ir.Value, draw: ir.Value, *, seed: int, n_items: int) -> ir.IntegerValue:
    """Return items that look uniform: the fifth power of a weighted sum of the ids, modulo a prime, scaled down.

    Args:
        user_id: Dense ids of users.
        position: Positions in the users' sequences.
        draw: Number of the draw.
        seed: Seed.
        n_items: Number of items; the result is below it.
    """
    ids = (user_id, position, draw)
    weighted = [(part.cast("int64") * factor) % MODULUS for part, factor in zip(ids, _FACTORS, strict=True)]
    mixed = (weighted[0] + weighted[1] + weighted[2] + seed * _SEED_FACTOR % MODULUS) % MODULUS
    square = (mixed * mixed) % MODULUS
    fifth = (((square * square) % MODULUS) * mixed) % MODULUS
    return (fifth * n_items // MODULUS).cast("int32")


def negative_targets(targets: ir.Table, interactions: ir.Table, *, negatives: int, seed: int, n_items: int) -> ir.Table:
    """Draw, for every liked impression, items that its user does not interact with up to its split.

    What a user does in a later split is not known to an earlier one: were its items spared, the draws would tell a
    model what the user never gets to dislike. Twice as many items as needed, and some, are drawn, and those that fit
    are kept in the order of their draw; a user who met nearly every item may therefore get fewer.

    Args:
        targets: Click targets, with split.
        interactions: The table of that contract.
        negatives: Items per liked impression.
        seed: Seed.
        n_items: Number of items in the catalogue.

    Returns:
        Targets of label 0, with ``draw`` counting from 1.
    """
    liked = targets.filter(targets["label"] == 1)
    drawn = liked.mutate(draw=ibis.range(0, 2 * negatives + _SPARE).unnest())
    items = drawn_items(drawn["user_id"], drawn["first_position"], drawn["draw"], seed=seed, n_items=n_items)
    drawn = drawn.mutate(item_id=items)
    met = interactions.group_by("user_id", "item_id").agg(met_in=interactions["split"].min())
    unknown = drawn.anti_join(met, ["user_id", "item_id", drawn["split"] >= met["met_in"]])
    impression = ["user_id", "first_position"]
    again = ibis.row_number().over(group_by=[*impression, "item_id"], order_by="draw")
    first = unknown.mutate(again=again).filter(ibis._["again"] == 0)
    place = ibis.row_number().over(group_by=impression, order_by="draw")
    chosen = first.mutate(draw=place + 1).filter(ibis._["draw"] <= negatives)
    return chosen.select(
        *[name for name in targets.columns if name not in ("targets", "label", "draw")],
        targets=ibis.array([chosen["item_id"]]),
        label=ibis.literal(0, "int8"),
        draw=chosen["draw"].cast("int32"),
    )
