"""Parameters of the surrogate pipeline."""

from __future__ import annotations

from pydantic import Field

from coresift.parameters import StrictParameters


class SurrogateParameters(StrictParameters):
    """Shape and training of the small sequential recommender (SASRec)."""

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
    negatives: int = Field(
        2048, ge=1, description="Random items per step; a catalogue of no more items is compared with in full."
    )
    validation_users: int = Field(10_000, ge=1, description="Users ranked after every epoch at most.")
