"""Parameters of the surrogate pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coresift.parameters import StrictParameters


class OutOfFoldParameters(StrictParameters):
    """States of training samples from surrogates that never saw the sample's user."""

    folds: int = Field(0, ge=0, description="Parts into which users are divided; 0: the final surrogate's own states.")
    max_residual: float = Field(
        0.7, gt=0, description="A fold whose alignment leaves a larger share unexplained keeps the own states in use."
    )


class DinParameters(StrictParameters):
    """Shape and training of the small click model (DIN)."""

    dimension: int = Field(32, ge=1, description="Width of item vectors.")
    hidden: int = Field(64, ge=1, description="Width of the network's layers, and of the state.")
    n_layers: int = Field(2, ge=1, description="Layers of the network.")
    max_length: int = Field(60, ge=1, description="Newest items read of a history.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Share of activations dropped while training.")
    epochs: int = Field(12, ge=1, description="Most passes over the training samples.")
    patience: int = Field(2, ge=1, description="Epochs without a better validation AUC before training stops.")
    batch_size: int = Field(512, ge=1, description="Samples of a step.")
    learning_rate: float = Field(1e-3, gt=0, description="Step size of AdamW.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay of AdamW.")


class SurrogateParameters(StrictParameters):
    """Which small model stands in for the language model, and how it is shaped and trained.

    The options of SASRec stand beside ``model``, those of DIN in a section of their own; only the chosen ones are used.
    """

    model: Literal["auto", "sasrec", "din"] = Field(
        "auto", description="SASRec predicts the next item, DIN clicks; auto takes DIN for samples of clicks."
    )
    dimension: int = Field(64, ge=2, description="Width of states and item vectors.")
    n_blocks: int = Field(2, ge=1, description="Transformer blocks.")
    n_heads: int = Field(2, ge=1, description="Attention heads; they divide the dimension.")
    max_length: int = Field(50, ge=2, description="Newest items read of a history.")
    dropout: float = Field(0.3, ge=0, lt=1, description="Share of activations dropped while training.")
    epochs: int = Field(60, ge=1, description="Most passes over the training split.")
    patience: int = Field(4, ge=1, description="Epochs without a better validation NDCG@10 before training stops.")
    learning_rate: float = Field(1e-3, gt=0, description="Step size of AdamW.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay of AdamW.")
    tokens_per_batch: int = Field(1024, ge=1, description="Training positions per step.")
    averaged_epochs: float = Field(
        1.0, ge=0, description="Latest epochs over which the kept weights are a running mean; 0: the last step's."
    )
    loss: Literal["auto", "exact", "sampled"] = Field(
        "auto",
        description="A position is compared with the whole catalogue, random items, or what its size allows.",
    )
    negatives: int = Field(
        2048,
        ge=1,
        description="Random items per step of the sampled loss; auto compares in full with no more items.",
    )
    item_text: Literal["auto", "none", "start", "sum"] = Field(
        "auto", description="Part of titles in item vectors: none, their start, or a learned summand (auto)."
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "float32", description="Numbers of matrix products in training; auto is bfloat16 where the processor has it."
    )
    validation_users: int = Field(10_000, ge=1, description="Users ranked after every epoch at most.")
    din: DinParameters = Field(DinParameters(), description="DIN, where it is the model.")
    out_of_fold: OutOfFoldParameters = OutOfFoldParameters()

    def training_options(self) -> dict[str, dict[str, object]]:
        """Return the options of one training, by model."""
        return {"sasrec": self.model_dump(exclude={"model", "din", "out_of_fold"}), "din": self.din.model_dump()}
