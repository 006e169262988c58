"""What the present transport duals say about taking one medoid out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from coresift.transport.lagrangian_bound import lower_tail_mean
from coresift.transport.medoid_search import MedoidSearch


@dataclass(frozen=True)
class Removal:
    """Prices of the validation rows with one medoid gone.

    With source potentials x fixed, a validation row costs the least ``C_kj - x_k`` of the medoids. Without medoid i
    the rows that i alone served at that price cost the second least. Against these prices a row that comes in is
    worth its lower-tail mean, and exchanging i for o leaves at least ``objective + (worth_o - value_i) / n``.

    Attributes:
        prices: (V,) least price of every validation row.
        values: (n,) worth of every medoid against the prices without it.
    """

    prices: NDArray[np.float64]
    values: NDArray[np.float64]


def removal(search: MedoidSearch) -> Removal:
    """Prices every medoid's removal.

    Args:
        search: A search with an optimal plan.

    Returns:
        The prices; with a single medoid nothing remains to serve, and its value is infinite.
    """
    reduced = torch.as_tensor(search.rows - search.plan.source_potentials[:, None])
    if len(reduced) == 1:
        return Removal(reduced[0].numpy(), np.array([np.inf]))
    least, owners = reduced.topk(2, dim=0, largest=False)
    owner, columns = owners[0], torch.arange(len(least[0]))
    against = torch.as_tensor(search.rows) - least[0]
    against[owner, columns] = torch.as_tensor(search.rows)[owner, columns] - least[1]
    values = lower_tail_mean(against, search.share).numpy()
    return Removal(least[0].numpy(), values)
