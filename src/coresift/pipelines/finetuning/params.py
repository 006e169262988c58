"""Parameters of the finetuning pipeline."""

from __future__ import annotations

from pydantic import Field

from coresift.parameters import StrictParameters


class FinetuningParameters(StrictParameters):
    """The training loop of the adapter."""

    epochs: int = Field(4, ge=1, description="Passes over the training samples.")
    min_steps: int = Field(128, ge=1, description="Fewest steps: a small coreset is passed more often.")
    batch_size: int = Field(32, ge=1, description="Samples a step sees at once; they are each other's negatives.")
    length_grouping: bool = Field(True, description="Batches of samples of similar length: little padding.")
    gradient_accumulation: int = Field(1, ge=1, description="Batches added up before the weights move.")
    learning_rate: float = Field(2e-3, gt=0, description="Highest step size of AdamW.")
    warmup_share: float = Field(0.05, ge=0, lt=1, description="Share of the steps in which the rate rises.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay of AdamW.")
    max_gradient_norm: float = Field(1.0, ge=0, description="Longer gradients are scaled down to it; 0: never.")
    validation_samples: int = Field(512, ge=0, description="Validation prompts whose loss is logged; 0: none.")
    patience: int = Field(0, ge=0, description="Validations without gain before training stops; 0: never.")
    gradient_checkpointing: bool = Field(False, description="Less memory for a third more time.")
    checkpoint_steps: int = Field(200, ge=1, description="Most steps between checkpoints; a short run has four.")
    merge: bool = Field(False, description="Also save the base model with the adapter merged in.")
