"""Parameters of the evaluation pipeline."""

from __future__ import annotations

from coresift.evaluation import EvaluationOptions
from coresift.parameters import StrictParameters


class EvaluationParameters(StrictParameters, EvaluationOptions):
    """How figures are measured; the protocol itself is fixed."""
