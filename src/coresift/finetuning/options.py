"""How the adapter is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt
from typing_extensions import Doc

from coresift.options import check_options


@dataclass(frozen=True)
class FineTuningOptions:
    """Settings of the training loop.

    Raises:
        ValueError: If a value is out of bounds.
    """

    epochs: Annotated[int, Ge(1), Doc("Passes over the training samples.")] = 4
    min_steps: Annotated[int, Ge(1), Doc("Fewest steps: a coreset of few batches is passed more often.")] = 128
    batch_size: Annotated[int, Ge(1), Doc("Samples a step sees at once; they are each other's negatives.")] = 32
    length_grouping: Annotated[
        bool, Doc("Batches of samples of similar length, so that little is computed on padding.")
    ] = True
    gradient_accumulation: Annotated[int, Ge(1), Doc("Batches whose gradients are added before the weights move.")] = 1
    learning_rate: Annotated[float, Gt(0), Doc("Highest learning rate of AdamW.")] = 2e-3
    warmup_share: Annotated[
        float, Ge(0), Lt(1), Doc("Share of the steps over which the rate rises; then it falls linearly to zero.")
    ] = 0.05
    weight_decay: Annotated[float, Ge(0), Doc("Decoupled weight decay of AdamW.")] = 0.0
    max_gradient_norm: Annotated[float, Ge(0), Doc("Gradients are scaled down to this L2 norm; 0: never.")] = 1.0
    validation_samples: Annotated[
        int, Ge(0), Doc("Validation prompts, drawn at random, whose loss is logged; 0: none.")
    ] = 512
    patience: Annotated[
        int, Ge(0), Doc("Validations without gain before training stops and the best weights return; 0: never.")
    ] = 0
    gradient_checkpointing: Annotated[
        bool, Doc("Compute hidden states again on the way back: less memory for a third more time.")
    ] = False
    checkpoint_steps: Annotated[
        int, Ge(1), Doc("Most steps between checkpoints and validations; a short run has four.")
    ] = 200
    merge: Annotated[bool, Doc("Also save the base model with the adapter merged in.")] = False

    def __post_init__(self) -> None:
        check_options(FineTuningOptions, vars(self), prefix="finetuning.")
