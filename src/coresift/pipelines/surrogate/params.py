"""Parameters of the surrogate pipeline."""

from __future__ import annotations

from pydantic import Field

from coresift.parameters import StrictParameters
from coresift.surrogate import DinOptions, OutOfFoldOptions, SurrogateModel, SurrogateOptions


class DinParameters(StrictParameters, DinOptions):
    """Shape and training of the small click model (DIN)."""


class OutOfFoldParameters(StrictParameters, OutOfFoldOptions):
    """States of training samples from surrogates that never saw the sample's user."""


class SurrogateParameters(StrictParameters, SurrogateOptions):
    """Which small model stands in for the language model, and how it is shaped and trained.

    The options of SASRec stand beside ``model``, those of DIN in a section of their own; only the chosen ones are used.
    """

    model: SurrogateModel = "auto"
    din: DinParameters = Field(DinParameters(), description="DIN, where it is the model.")
    out_of_fold: OutOfFoldParameters = Field(OutOfFoldParameters(), description="States of training samples.")

    def training_options(self) -> dict[str, dict[str, object]]:
        """Return the options of one training, by model."""
        return {"sasrec": self.model_dump(exclude={"model", "din", "out_of_fold"}), "din": self.din.model_dump()}
