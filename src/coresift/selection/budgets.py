"""Who comes first, and how a budget is shared: order, strata, classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def tie_ranks(n_rows: int, random_state: int) -> NDArray[np.int64]:
    """Return a random place for every candidate, which decides between equal scores.

    Positions would not do: ids often follow the age of users, and the lowest position would favour the oldest.

    Args:
        n_rows: How many candidates there are.
        random_state: Seed of the order.

    Returns:
        (T,) a permutation.
    """
    return np.random.default_rng(random_state).permutation(n_rows)


def best_first(scores: NDArray[np.floating], ties: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions by descending score.

    Args:
        scores: (T,) higher is better.
        ties: (T,) what decides between equal scores, lower first.

    Returns:
        (T,) positions.
    """
    return np.lexsort((ties, -scores))


def largest(scores: NDArray[np.floating], ties: NDArray[np.int64]) -> int:
    """Return the position of the highest score.

    Args:
        scores: (T,) higher is better.
        ties: (T,) what decides between equal scores, lower first.

    Returns:
        One position.
    """
    best = np.flatnonzero(scores == scores.max())
    return int(best[ties[best].argmin()])


@dataclass(frozen=True)
class StrataDraw:
    """What was drawn from strata.

    Attributes:
        chosen: (n,) positions among the rows that were stratified.
        sizes: How many rows every stratum holds that is not empty, in the order of the strata.
        taken: How many of them were drawn.
    """

    chosen: NDArray[np.int64]
    sizes: list[int]
    taken: list[int]


def width_strata(values: NDArray[np.float64], n_strata: int) -> NDArray[np.int64]:
    """Return the stratum of every value, strata of equal width between the least and the largest value.

    Args:
        values: (T,) scores.
        n_strata: How many strata.

    Returns:
        (T,) from 0 to n_strata - 1; the largest value is in the last stratum, equal values are all in stratum 0.
    """
    low, width = values.min(), values.max() - values.min()
    places = (values - low) / width * n_strata if width > 0 else np.zeros(len(values))
    return places.astype(np.int64).clip(max=n_strata - 1)


def quantile_strata(values: NDArray[np.float64], n_strata: int) -> NDArray[np.int64]:
    """Return the stratum of every value, strata of equally many values.

    Args:
        values: (T,) scores.
        n_strata: How many strata.

    Returns:
        (T,) from 0 to n_strata - 1; equal values share a stratum, the one of their average rank.
    """
    middle = (rankdata(values, method="average") - 0.5) / len(values)
    return (middle * n_strata).astype(np.int64).clip(max=n_strata - 1)


def draw_from_strata(
    stratum: NDArray[np.int64], budget: int, generator: np.random.Generator, *, exponent: float = 0.0
) -> StrataDraw:
    """Draws a budget from strata, at random within each.

    Strata are visited from the smallest to the largest. Each takes its share of what is left of the budget, at most
    all it holds; its share among the strata still to come grows with ``size ** exponent``. With an exponent of 0 this
    is Algorithm 2 of DEALRec (arXiv 2401.17197), and that of coverage-centric selection (arXiv 2210.15809).

    Args:
        stratum: (T,) the stratum of every row.
        budget: How many rows to draw, at most T.
        generator: Source of the draws.
        exponent: 0 for equal shares to 1 for shares in proportion to the strata.

    Returns:
        Exactly `budget` rows.
    """
    names, sizes = np.unique(stratum, return_counts=True)
    weights = sizes.astype(np.float64) ** exponent
    taken, chosen, left = np.zeros(len(names), dtype=np.int64), [], budget
    order = np.argsort(sizes, kind="stable")
    for visited, place in enumerate(order):
        share = left * weights[place] / weights[order[visited:]].sum()
        # A share that is whole but for rounding counts as whole, so that the last stratum takes all that is left.
        taken[place] = min(sizes[place], int(share + 1e-9))
        rows = np.flatnonzero(stratum == names[place])
        chosen.append(generator.choice(rows, size=taken[place], replace=False))
        left -= taken[place]
    return StrataDraw(np.concatenate(chosen), sizes.tolist(), taken.tolist())


def split_highest(order: NDArray[np.int64], share: float, budget: int) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Drop a share of the highest scores, as far as the budget allows.

    Args:
        order: (T,) positions by descending score.
        share: The share to drop.
        budget: How many rows have to stay.

    Returns:
        The rest by descending score, then the pruned rows that had to come back, the lowest scores first; and how many
        rows were pruned and how many came back.
    """
    wanted = int(share * len(order) + 1e-9)
    pruned = min(wanted, len(order) - budget)
    kept = np.concatenate([order[wanted:], order[pruned:wanted][::-1]])
    return kept, {"pruned": pruned, "returned_from_pruned": wanted - pruned}


def label_budgets(
    label: NDArray, validation_label: NDArray, budget: int, kept: NDArray[np.int64] | None = None
) -> dict[object, int]:
    """Shares a budget among the classes of the validation samples by the method of largest remainders.

    Args:
        label: (T,) classes of the candidates that may be selected.
        validation_label: (V,) classes of the validation samples.
        budget: How many candidates to select.
        kept: Positions of candidates that are selected in any case.

    Returns:
        The budget of every validation class, in the order of the classes. A class with too few candidates gets all of
        them and the others share the rest; a class with validation samples gets at least one where the budget allows.

    Raises:
        ValueError: If a validation class has no candidate, or the classes have too few candidates together.
    """
    classes, counts = np.unique(validation_label, return_counts=True)
    sizes = np.array([int((label == one).sum()) for one in classes])
    if (sizes == 0).any():
        raise ValueError(
            f"no candidate has the label {classes[sizes == 0][0]} of {counts[sizes == 0][0]} validation samples: "
            "select without labels or add such samples."
        )
    if sizes.sum() < budget:
        raise ValueError(
            f"budget {budget} > {sizes.sum()} candidates of validation classes: "
            "lower selection.budget or select without labels."
        )
    kept_labels = label[kept] if kept is not None else label[:0]
    least = np.array([int((kept_labels == one).sum()) for one in classes])
    least = np.maximum(least, 1) if budget >= np.maximum(least, 1).sum() else least
    shares = share_budget(budget * counts / counts.sum(), least, sizes, budget)
    return dict(zip(classes.tolist(), shares.tolist(), strict=True))


def share_budget(
    quotas: NDArray[np.float64], least: NDArray[np.int64], most: NDArray[np.int64], budget: int
) -> NDArray[np.int64]:
    """Whole numbers near the quotas and within their limits; what is left goes where most of a quota is missing.

    Args:
        quotas: (c,) wanted shares.
        least: (c,) lower limits, together at most the budget.
        most: (c,) upper limits, together at least the budget.
        budget: What the shares add up to.

    Returns:
        (c,) shares.
    """
    shares = np.clip(np.floor(quotas).astype(np.int64), least, most)
    while shares.sum() != budget:
        step = 1 if shares.sum() < budget else -1
        is_free = shares < most if step == 1 else shares > least
        missing = np.where(is_free, step * (quotas - shares), -np.inf)
        shares[int(missing.argmax())] += step
    return shares
