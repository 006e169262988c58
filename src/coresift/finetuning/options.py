"""How the adapter is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FineTuningOptions:
    """Settings of the training loop.

    Attributes:
        epochs: Passes over the training samples.
        min_steps: Fewest steps: a coreset of few batches is passed more often than ``epochs``.
        batch_size: Samples a step sees at once; in-batch negatives come from among them.
        length_grouping: Batches of samples of similar length, so that little is computed on padding.
        gradient_accumulation: Batches whose gradients are added before the weights move.
        learning_rate: Highest learning rate of AdamW.
        warmup_share: Share of the steps over which the rate rises; then it falls linearly to zero.
        weight_decay: Decoupled weight decay.
        max_gradient_norm: Gradients are scaled down to this L2 norm; 0 leaves them.
        validation_samples: Validation prompts, drawn at random, whose loss is logged; 0 for none.
        patience: Validations without improvement before training stops and the best weights return; 0 for never.
        gradient_checkpointing: Compute the hidden states again on the way back instead of keeping them: less memory for
            a third more time.
        checkpoint_steps: Most steps between checkpoints (and validations); a short run has four.
        merge: Also write the base model with the adapter merged in.
    """

    epochs: int = 4
    min_steps: int = 128
    batch_size: int = 32
    length_grouping: bool = True
    gradient_accumulation: int = 1
    learning_rate: float = 2e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    validation_samples: int = 512
    patience: int = 0
    gradient_checkpointing: bool = False
    checkpoint_steps: int = 200
    merge: bool = False
