"""What all selectors share: the scikit-learn interface, the budget check and the results."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from coresift.selection.candidate_pool import CandidatePool

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """What a method chose.

    Attributes:
        indices: (n,) distinct positions in the pool, best first.
        scores: (T,) higher is better, NaN where not computed.
        weights: (n,) weight of each selected sample, mean 1.
        is_prefix_valid: whether the first m samples are what the method would choose for a budget of m.
        figures: what a report should say.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float64]
    weights: NDArray[np.float64]
    is_prefix_valid: bool
    figures: dict[str, Any] = field(default_factory=dict)


class Selector(BaseEstimator, ABC):
    """Chooses exactly `budget` distinct candidates of a pool.

    Attributes:
        selected_indices_: (n,) positions in the pool, in rank order.
        scores_: (T,) score of every candidate, higher is better, NaN where not computed.
        weights_: (n,) weights of the selected samples in fine-tuning, mean 1.
        diagnostics_: figures for the report; "prefix" says whether a prefix is a valid smaller coreset.
    """

    budget: int
    selected_indices_: NDArray[np.int64]
    scores_: NDArray[np.float64]
    weights_: NDArray[np.float64]
    diagnostics_: dict[str, Any]

    def fit(self, pool: CandidatePool, y: None = None) -> Self:
        """Selects from a pool.

        Args:
            pool: the candidates and their features.
            y: ignored; present for scikit-learn.

        Returns:
            The selector itself, with its results.

        Raises:
            ValueError: if the budget does not fit the pool, or an option is out of range.
            MissingInputError: if the pool lacks a feature; the message names the pipeline that makes it.
        """
        if self.budget < 1:
            raise ValueError(f"budget {self.budget} < 1: raise selection.budget.")
        if self.budget > len(pool):
            raise ValueError(f"budget {self.budget} > {len(pool)} candidates: lower selection.budget.")
        selection = self._select(pool)
        self.selected_indices_ = selection.indices
        self.scores_ = selection.scores
        self.weights_ = selection.weights
        sizes = {"candidates": len(pool), "selected": len(selection.indices), "prefix": selection.is_prefix_valid}
        self.diagnostics_ = sizes | selection.figures
        logger.info("%s selected %d of %d candidates", type(self).__name__, len(selection.indices), len(pool))
        return self

    @abstractmethod
    def _select(self, pool: CandidatePool) -> Selection:
        """Chooses `budget` candidates of a pool that holds at least as many."""


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Checks an option that has a few possible values.

    Args:
        name: the option.
        value: what was given.
        choices: what is possible.

    Raises:
        ValueError: if the value is none of the choices.
    """
    if value not in choices:
        raise ValueError(f"{name} is '{value}': choose one of {', '.join(choices)}.")
