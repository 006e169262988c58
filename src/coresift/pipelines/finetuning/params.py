"""Parameters of the finetuning pipeline."""

from __future__ import annotations

from coresift.finetuning import FineTuningOptions
from coresift.parameters import StrictParameters


class FinetuningParameters(StrictParameters, FineTuningOptions):
    """The training loop of the adapter."""
