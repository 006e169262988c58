"""What all selectors share: the scikit-learn interface, the budget check and the results."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from coresift.selection.budgets import best_first, tie_ranks
from coresift.selection.candidate_pool import MATRICES, CandidatePool

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """What a method chose.

    Attributes:
        indices: (n,) distinct positions in the pool, best first.
        scores: (T,) higher is better, NaN where not computed; None where none is.
        weights: (n,) weight of each selected sample, mean 1; None for equal weights.
        is_prefix_valid: Whether the first m samples are what the method would choose for a budget of m.
        figures: What a report should say.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float64] | None = None
    weights: NDArray[np.float64] | None = None
    is_prefix_valid: bool = False
    figures: dict[str, Any] = field(default_factory=dict)


class Selector(BaseEstimator, ABC):
    """Chooses exactly `budget` distinct candidates of a pool.

    Attributes:
        selected_indices_: (n,) positions in the pool, in rank order.
        scores_: (T,) score of every candidate, higher is better, NaN where not computed.
        weights_: (n,) weights of the selected samples in fine-tuning, mean 1.
        diagnostics_: Figures for the report; "prefix" says whether a prefix is a valid smaller coreset.
    """

    budget: int
    selected_indices_: NDArray[np.int64]
    scores_: NDArray[np.float64]
    weights_: NDArray[np.float64]
    diagnostics_: dict[str, Any]

    def fit(self, pool: CandidatePool, y: None = None) -> Self:
        """Select from a pool.

        Args:
            pool: The candidates and their features.
            y: Ignored; present for scikit-learn.

        Returns:
            The selector itself, with its results.

        Raises:
            ValueError: If the budget does not fit the pool, or an option is out of range.
            MissingInputError: If the pool lacks a feature; the message names the pipeline that makes it.
        """
        if self.budget < 1:
            raise ValueError(f"budget {self.budget} < 1: raise selection.budget.")
        if self.budget > len(pool):
            raise ValueError(f"budget {self.budget} > {len(pool)} candidates: lower selection.budget.")
        selection = self._select(pool)
        self.selected_indices_ = selection.indices
        self.scores_ = np.full(len(pool), np.nan) if selection.scores is None else selection.scores
        self.weights_ = np.ones(self.budget) if selection.weights is None else selection.weights
        sizes = {"candidates": len(pool), "selected": len(selection.indices), "prefix": selection.is_prefix_valid}
        self.diagnostics_ = sizes | selection.figures
        logger.info("%s selected %d of %d candidates", type(self).__name__, len(selection.indices), len(pool))
        return self

    @abstractmethod
    def _select(self, pool: CandidatePool) -> Selection:
        """Chooses `budget` candidates of a pool that holds at least as many."""


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Check an option that has a few possible values.

    Args:
        name: The option.
        value: What was given.
        choices: What is possible.

    Raises:
        ValueError: If the value is none of the choices.
    """
    if value not in choices:
        raise ValueError(f"{name} is '{value}': choose one of {', '.join(choices)}.")


def check_count(name: str, value: int) -> None:
    """Check an option that counts something.

    Args:
        name: The option.
        value: What was given.

    Raises:
        ValueError: If the value is below 1.
    """
    if value < 1:
        raise ValueError(f"{name} is {value}: it must be at least 1.")


def check_share(name: str, value: float) -> None:
    """Check an option that is a share of which something has to be left.

    Args:
        name: The option.
        value: What was given.

    Raises:
        ValueError: If the value is negative, 1 or more.
    """
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}: it must be at least 0 and below 1.")


def train_and_validation(pool: CandidatePool, representation: str) -> tuple[NDArray, NDArray]:
    """Return the rows of a representation on both sides.

    Args:
        pool: The candidates.
        representation: "embedding", "gradient_feature" or "state".

    Returns:
        (T, d) candidates and (V, d) validation samples.

    Raises:
        ValueError: If there is no such representation.
        MissingInputError: If the pool lacks it.
    """
    check_choice("representation", representation, MATRICES)
    return pool.require(representation), pool.require(f"validation_{representation}")


class ScoreSelector(Selector):
    """Takes the candidates of the highest score; a prefix is the selection for a smaller budget.

    Attributes:
        random_state: Decides between equal scores.
    """

    random_state: int

    def _select(self, pool: CandidatePool) -> Selection:
        scores = self._scores(pool)
        chosen = best_first(scores, tie_ranks(len(pool), self.random_state))[: self.budget]
        return Selection(chosen, scores, is_prefix_valid=True)

    @abstractmethod
    def _scores(self, pool: CandidatePool) -> NDArray[np.float64]:
        """Scores (T,), higher is better."""
