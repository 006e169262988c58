"""What all selectors share: the scikit-learn interface, the budget check and the results."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from numbers import Integral
from typing import Annotated, Any, ClassVar, Self, TypeAlias

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from typing_extensions import Doc

from coresift.options import check_options
from coresift.selection.budgets import best_first, tie_ranks
from coresift.selection.candidate_pool import CandidatePool

logger = logging.getLogger(__name__)

Budget: TypeAlias = Annotated[int, Ge(1), Doc("Training samples to select.")]
RandomState: TypeAlias = Annotated[int, Doc("Seed of every draw, and of the order of equal scores.")]
DeviceName: TypeAlias = Annotated[str, Doc('Where distances are computed: "auto", "cpu", "cuda" or "mps".')]


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

    The constructor declares every option with bounds and meaning (see `coresift.options`); `fit` checks them, and the
    section of `selection.options` is derived from it.

    Attributes:
        handled_elsewhere: Options that are no parameters of the method: other parameters decide about them, or nobody
            but the caller can know them.
        selected_indices_: (n,) positions in the pool, in rank order.
        scores_: (T,) score of every candidate, higher is better, NaN where not computed.
        weights_: (n,) weights of the selected samples in fine-tuning, mean 1.
        diagnostics_: Figures for the report; "prefix" says whether a prefix is a valid smaller coreset.
    """

    handled_elsewhere: ClassVar[tuple[str, ...]] = ("budget", "random_state", "device")
    budget: int
    selected_indices_: NDArray[np.int64]
    scores_: NDArray[np.float64]
    weights_: NDArray[np.float64]
    diagnostics_: dict[str, Any]

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that are looked at with these options: names of its features and scores."""
        return ()

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
        if isinstance(self.budget, Integral) and self.budget < 1:
            raise ValueError(f"budget {self.budget} < 1: raise selection.budget.")
        check_options(type(self), self.get_params(deep=False))
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
        """Choose `budget` candidates of a pool that holds at least as many."""


def both_sides(name: str) -> tuple[str, str]:
    """Return the names of a feature of the candidates and of the validation samples."""
    return name, f"validation_{name}"


def train_and_validation(pool: CandidatePool, representation: str) -> tuple[NDArray, NDArray]:
    """Return the rows of a representation on both sides.

    Args:
        pool: The candidates.
        representation: "embedding", "gradient_feature" or "state".

    Returns:
        (T, d) candidates and (V, d) validation samples.

    Raises:
        MissingInputError: If the pool lacks it.
    """
    train, valid = both_sides(representation)
    return pool.require(train), pool.require(valid)


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
