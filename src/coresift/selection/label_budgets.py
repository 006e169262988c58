"""How a budget is shared among classes, so that the selection has the class shares of the validation samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def label_budgets(
    label: NDArray, validation_label: NDArray, budget: int, kept: NDArray[np.int64] | None = None
) -> dict[object, int]:
    """Shares a budget among the classes of the validation samples by the method of largest remainders.

    Args:
        label: (T,) classes of the candidates that may be selected.
        validation_label: (V,) classes of the validation samples.
        budget: how many candidates to select.
        kept: positions of candidates that are selected in any case.

    Returns:
        The budget of every validation class, in the order of the classes. A class with too few candidates gets all of
        them and the others share the rest; a class with validation samples gets at least one where the budget allows.

    Raises:
        ValueError: if a validation class has no candidate, or the classes have too few candidates together.
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
        budget: what the shares add up to.

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
