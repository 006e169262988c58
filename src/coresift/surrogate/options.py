"""How the surrogate is shaped and trained."""

from __future__ import annotations

from dataclasses import dataclass

from coresift.surrogate.sasrec import SasRecConfig


@dataclass(frozen=True)
class SurrogateOptions:
    """How the surrogate is shaped and trained.

    Attributes:
        dimension: width of states and item vectors.
        n_blocks: transformer blocks.
        n_heads: attention heads.
        max_length: newest items read of a history.
        dropout: share of activations dropped while training.
        epochs: most passes over the training split.
        patience: epochs without a better validation NDCG@10 after which training stops.
        learning_rate: step size of AdamW.
        weight_decay: decoupled weight decay of AdamW.
        tokens_per_batch: training positions per step.
        averaged_epochs: the model that is validated and kept is the mean of the weights over about so many of the
            latest epochs; 0 keeps those of the last step.
        loss: "exact" compares every position with the whole catalogue, "sampled" with random items shared by the
            step, "auto" is exact for a catalogue of at most `negatives` items and sampled for a larger one.
        negatives: random items per step of the sampled loss.
        item_text: "none" learns item vectors from interactions alone, "start" begins with the titles' vectors, "sum"
            adds the titles' vectors, through one learned matrix, to what is learned of each item; "auto" is "sum" where
            titles' vectors are given.
        dtype: "float32", "bfloat16" for products, or "auto": bfloat16 where the processor computes in it.
        validation_users: users ranked after every epoch at most, a seeded draw.
    """

    dimension: int = 64
    n_blocks: int = 2
    n_heads: int = 2
    max_length: int = 50
    dropout: float = 0.3
    epochs: int = 60
    patience: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    tokens_per_batch: int = 1024
    averaged_epochs: float = 1.0
    loss: str = "auto"
    negatives: int = 2048
    item_text: str = "auto"
    dtype: str = "float32"
    validation_users: int = 10_000

    def model(self, n_items: int) -> SasRecConfig:
        """Return the part that shapes the model."""
        return SasRecConfig(n_items, self.dimension, self.n_blocks, self.n_heads, self.max_length, self.dropout)

    def compares_in_full(self, n_items: int) -> bool:
        """Whether the training loss of a catalogue of `n_items` is exact."""
        return self.loss == "exact" or (self.loss == "auto" and n_items <= self.negatives)
