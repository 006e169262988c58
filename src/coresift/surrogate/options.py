"""Which surrogate there is, how it is shaped and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Gt, Lt
from typing_extensions import Doc

from coresift.options import check_options

SurrogateModel: TypeAlias = Annotated[
    Literal["auto", "sasrec", "din"],
    Doc("SASRec predicts the next item, DIN clicks; auto takes DIN for samples of clicks."),
]
Dropout: TypeAlias = Annotated[float, Ge(0), Lt(1), Doc("Share of activations dropped while training.")]
LearningRate: TypeAlias = Annotated[float, Gt(0), Doc("Step size of AdamW.")]
WeightDecay: TypeAlias = Annotated[float, Ge(0), Doc("Decoupled weight decay of AdamW.")]


@dataclass(frozen=True)
class SasRecShape:
    """What can be chosen about the shape of SASRec."""

    dimension: Annotated[int, Ge(2), Doc("Width of states and item vectors.")] = 64
    n_blocks: Annotated[int, Ge(1), Doc("Transformer blocks.")] = 2
    n_heads: Annotated[int, Ge(1), Doc("Attention heads; they divide the dimension.")] = 2
    max_length: Annotated[int, Ge(2), Doc("Newest items read of a history.")] = 50
    dropout: Dropout = 0.3


@dataclass(frozen=True)
class SurrogateOptions(SasRecShape):
    """How SASRec is shaped and trained.

    Raises:
        ValueError: If a value is none of the choices or out of bounds.
    """

    epochs: Annotated[int, Ge(1), Doc("Most passes over the training split.")] = 60
    patience: Annotated[int, Ge(1), Doc("Epochs without a better validation NDCG@10 after which training stops.")] = 4
    learning_rate: LearningRate = 1e-3
    weight_decay: WeightDecay = 0.01
    tokens_per_batch: Annotated[int, Ge(1), Doc("Training positions per step.")] = 1024
    averaged_epochs: Annotated[
        float,
        Ge(0),
        Doc("Latest epochs over which the weights that are validated and kept are a running mean; 0: the last step's."),
    ] = 1.0
    loss: Annotated[
        Literal["auto", "exact", "sampled"],
        Doc(
            "A position is compared with the whole catalogue (exact), with random items shared by the step (sampled), "
            "or in full with a catalogue of at most `negatives` items (auto)."
        ),
    ] = "auto"
    negatives: Annotated[int, Ge(1), Doc("Random items per step of the sampled loss.")] = 2048
    item_text: Annotated[
        Literal["auto", "none", "start", "sum"],
        Doc(
            "Part of titles in item vectors: none, their start, or a summand through one learned matrix; auto is sum "
            "where titles' vectors are given."
        ),
    ] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Doc("Numbers of matrix products in training; auto is bfloat16 where the processor computes in it."),
    ] = "float32"
    validation_users: Annotated[int, Ge(1), Doc("Users ranked after every epoch at most, a seeded draw.")] = 10_000

    def __post_init__(self) -> None:
        check_options(SurrogateOptions, vars(self), prefix="surrogate.")

    def compares_in_full(self, n_items: int) -> bool:
        """Whether the training loss of a catalogue of `n_items` is exact."""
        return self.loss == "exact" or (self.loss == "auto" and n_items <= self.negatives)


@dataclass(frozen=True)
class DinShape:
    """What can be chosen about the shape of DIN."""

    dimension: Annotated[int, Ge(1), Doc("Width of item vectors.")] = 32
    hidden: Annotated[int, Ge(1), Doc("Width of the network's layers, and of the state.")] = 64
    n_layers: Annotated[int, Ge(1), Doc("Layers of the network.")] = 2
    max_length: Annotated[int, Ge(1), Doc("Newest items read of a history.")] = 60
    dropout: Dropout = 0.2


@dataclass(frozen=True)
class DinOptions(DinShape):
    """How DIN is shaped and trained.

    Raises:
        ValueError: If a value is out of bounds.
    """

    epochs: Annotated[int, Ge(1), Doc("Most passes over the training samples.")] = 12
    patience: Annotated[int, Ge(1), Doc("Epochs without a better validation AUC after which training stops.")] = 2
    batch_size: Annotated[int, Ge(1), Doc("Samples of a step.")] = 512
    learning_rate: LearningRate = 1e-3
    weight_decay: WeightDecay = 0.01

    def __post_init__(self) -> None:
        check_options(DinOptions, vars(self), prefix="surrogate.din.")


@dataclass(frozen=True)
class OutOfFoldOptions:
    """States of training samples from surrogates that never saw the sample's user."""

    folds: Annotated[int, Ge(0), Doc("Parts into which users are divided; 0: the final surrogate's own states.")] = 0
    max_residual: Annotated[
        float, Gt(0), Doc("A fold whose alignment leaves a larger share unexplained keeps the own states in use.")
    ] = 0.7
