"""What selectors choose from: every known feature of the training and validation samples, checked and aligned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from coresift.compute import as_floats, as_numpy

MAKERS = {
    "embedding": "attribution",
    "validation_embedding": "attribution",
    "gradient_feature": "attribution",
    "validation_gradient_feature": "attribution",
    "state": "surrogate",
    "validation_state": "surrogate",
    "gradient_norm": "attribution",
    "influence": "attribution",
    "label": "ingestion",
    "validation_label": "ingestion",
    "scores": "surrogate",
}
ON_REQUEST = {
    "gradient_norm": " where attribution.gradient_norms.enabled is true",
    "gradient_feature": " where attribution.gradient_features.enabled is true",
    "validation_gradient_feature": " where attribution.gradient_features.enabled is true",
}
"""What a parameter decides about before its pipeline makes it."""
VECTORS = ("gradient_norm", "influence")
MATRICES = ("embedding", "gradient_feature", "state")
SCORE_MAKERS = {"history_length": "ingestion", "target_popularity": "ingestion"}
"""Which pipeline makes a named score; all others come from the surrogate."""
DIFFICULTIES = ("el2n", "loss", "grand", "forgetting", "gradient_norm")
"""Scores that say how hard a candidate is, none of them negative."""


class MissingInputError(ValueError):
    """A selector needs a feature that the pool does not have."""


@dataclass(frozen=True, kw_only=True)
class CandidatePool:
    """T training candidates and V validation samples; features are optional, a selector says which ones it needs.

    Matrices in float32 or float64 are kept as they are; other number types, bfloat16 among them, become float32, or
    float64 for integers that float32 would cut off.

    Args:
        sample_id: (T,) unique ids of the candidates.
        embedding: (T, d) text embeddings.
        validation_embedding: (V, d) text embeddings of the validation samples.
        gradient_feature: (T, k) projected gradients.
        validation_gradient_feature: (V, k) projected gradients of the validation samples.
        state: (T, h) surrogate states.
        validation_state: (V, h) surrogate states of the validation samples.
        gradient_norm: (T,) non-negative gradient norms.
        influence: (T,) influence on the validation loss, higher is more helpful.
        label: (T,) classes.
        validation_label: (V,) classes of the validation samples.
        scores: Further (T,) scores by name.

    Raises:
        ValueError: If shapes do not agree, a value is not finite, a norm is negative or an id occurs twice.
    """

    sample_id: ArrayLike
    embedding: ArrayLike | None = None
    validation_embedding: ArrayLike | None = None
    gradient_feature: ArrayLike | None = None
    validation_gradient_feature: ArrayLike | None = None
    state: ArrayLike | None = None
    validation_state: ArrayLike | None = None
    gradient_norm: ArrayLike | None = None
    influence: ArrayLike | None = None
    label: ArrayLike | None = None
    validation_label: ArrayLike | None = None
    scores: Mapping[str, ArrayLike] | None = None
    _n_validation: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        ids = _array(self.sample_id)
        if ids.ndim != 1 or not len(ids) or not np.issubdtype(ids.dtype, np.integer):
            raise ValueError("sample_id must hold at least one whole number.")
        if len(np.unique(ids)) != len(ids):
            raise ValueError("sample_id holds an id twice: every candidate needs an id of its own.")
        self._store("sample_id", ids.astype(np.int64))
        for name in MATRICES:
            self._check_matrices(name)
        for name in VECTORS:
            self._check_vector(name, getattr(self, name))
        if self.gradient_norm is not None and (np.asarray(self.gradient_norm) < 0).any():
            raise ValueError("gradient_norm holds negative values: a norm cannot be negative.")
        self._check_labels()
        named = {
            name: self._checked_vector(f"scores['{name}']", values) for name, values in (self.scores or {}).items()
        }
        self._store("scores", named or None)

    def __len__(self) -> int:
        """Return the number of candidates, T."""
        return len(np.asarray(self.sample_id))

    @property
    def n_validation(self) -> int:
        """The number of validation samples, V; 0 if none of their features is known."""
        return self._n_validation

    def require(self, name: str) -> NDArray:
        """Return a feature that a selector cannot do without.

        Args:
            name: Name of the feature.

        Returns:
            Its array.

        Raises:
            MissingInputError: If the pool lacks it; the message names the pipeline that makes it.
        """
        values = getattr(self, name)
        if values is None:
            made = f"which makes it{ON_REQUEST.get(name, '')}"
            raise MissingInputError(f"the pool has no {name}: run the {MAKERS[name]} pipeline, {made}.")
        return np.asarray(values)

    def require_score(self, name: str) -> NDArray[np.float64]:
        """Return a score that a selector cannot do without.

        Args:
            name: "gradient_norm", "influence" or the name of one of the further scores.

        Returns:
            Its (T,) values.

        Raises:
            MissingInputError: If the pool lacks it; the message names the pipeline that makes it.
        """
        if name in VECTORS:
            return self.require(name)
        values = (self.scores or {}).get(name)
        if values is None:
            maker = SCORE_MAKERS.get(name, "surrogate")
            raise MissingInputError(f"the pool has no score '{name}': run the {maker} pipeline, which makes it.")
        return np.asarray(values)

    def subset(self, rows: NDArray[np.int64], targets: NDArray[np.int64]) -> CandidatePool:
        """Return some of the candidates, beside some of the validation samples.

        Args:
            rows: (k,) positions of candidates.
            targets: (m,) positions of validation samples.

        Returns:
            A pool in the given orders.
        """
        parts: dict[str, Any] = {
            name: np.asarray(values)[targets if name.startswith("validation_") else rows]
            for name, values in vars(self).items()
            if name in MAKERS and name != "scores" and values is not None
        }
        scores = {name: np.asarray(values)[rows] for name, values in (self.scores or {}).items()}
        return CandidatePool(sample_id=np.asarray(self.sample_id)[rows], scores=scores, **parts)

    def _check_matrices(self, name: str) -> None:
        train, valid = getattr(self, name), getattr(self, f"validation_{name}")
        if train is not None:
            self._store(name, _finite_matrix(name, train))
            if len(getattr(self, name)) != len(self):
                raise ValueError(f"{name} has {len(getattr(self, name))} rows for {len(self)} sample ids.")
        if valid is not None:
            self._store(f"validation_{name}", _finite_matrix(f"validation_{name}", valid))
            self._agree_on_validation(f"validation_{name}")
        if train is not None and valid is not None:
            widths = getattr(self, name).shape[1], getattr(self, f"validation_{name}").shape[1]
            if widths[0] != widths[1]:
                raise ValueError(f"{name} has {widths[0]} columns and validation_{name} {widths[1]}: make both alike.")

    def _check_vector(self, name: str, values: ArrayLike | None) -> None:
        if values is not None:
            self._store(name, self._checked_vector(name, values))

    def _checked_vector(self, name: str, values: ArrayLike) -> NDArray[np.float64]:
        vector = as_numpy(values).astype(np.float64)
        if vector.shape != (len(self),):
            raise ValueError(f"{name} has shape {vector.shape}: it needs one value per sample id, ({len(self)},).")
        if not np.isfinite(vector).all():
            raise ValueError(f"{name} holds values that are not finite.")
        return vector

    def _check_labels(self) -> None:
        if self.label is not None:
            self._store("label", _array(self.label))
            if np.asarray(self.label).shape != (len(self),):
                raise ValueError(f"label needs one value per sample id, ({len(self)},).")
        if self.validation_label is not None:
            self._store("validation_label", _array(self.validation_label))
            self._agree_on_validation("validation_label")

    def _agree_on_validation(self, name: str) -> None:
        n_rows = len(getattr(self, name))
        if self._n_validation not in (0, n_rows):
            raise ValueError(f"{name} has {n_rows} rows where other validation features have {self._n_validation}.")
        self._store("_n_validation", n_rows)

    def _store(self, name: str, values: object) -> None:
        object.__setattr__(self, name, values)


def _array(values: ArrayLike | torch.Tensor) -> NDArray:
    return as_numpy(values) if isinstance(values, torch.Tensor) else np.asarray(values)


def _finite_matrix(name: str, values: ArrayLike) -> NDArray:
    matrix = as_floats(values)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{name} has shape {matrix.shape}: it needs at least one row and one column.")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} holds values that are not finite.")
    return matrix
