"""Which language model the project stands on, and how texts become vectors and codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from typing_extensions import Doc

from coresift.options import check_options

HEAD_SIZE = 32
"""Width of an attention head of the small model."""


@dataclass(frozen=True)
class FoundationOptions:
    """Which language model the project stands on, and how texts become vectors."""

    model: Annotated[str | None, Doc("Folder of a model, or a hub id; null trains a small one.")] = None
    revision: Annotated[str | None, Doc("Commit, tag or branch of a hub id; null is the main branch.")] = None
    text_vectors: Annotated[str, Doc("tfidf, or the folder or hub id of a sentence encoder.")] = "tfidf"
    text_dimensions: Annotated[int, Ge(1), Doc("Length of a tfidf vector.")] = 256


@dataclass(frozen=True)
class SmallModelOptions:
    """Size and training of the small model; the defaults make 1.8 million parameters besides the embeddings.

    Raises:
        ValueError: If a value is out of bounds.
    """

    vocabulary_size: Annotated[int, Ge(512), Doc("Most tokens of its tokenizer.")] = 4096
    hidden_size: Annotated[int, Ge(HEAD_SIZE), MultipleOf(HEAD_SIZE), Doc("Width of a token's vector.")] = 192
    n_layers: Annotated[int, Ge(1), Doc("Transformer layers.")] = 4
    training_steps: Annotated[
        int, Ge(1), Doc("Steps of the optimiser; they bound the training time on a catalogue of any size.")
    ] = 120
    tokens_per_step: Annotated[int, Ge(128), Doc("Tokens of one step.")] = 2048
    learning_rate: Annotated[float, Gt(0), Doc("Peak of the learning rate.")] = 3e-3
    held_out_share: Annotated[float, Gt(0), Lt(1), Doc("Share of the distinct titles that only measure.")] = 0.05

    def __post_init__(self) -> None:
        check_options(SmallModelOptions, vars(self), prefix="foundation.small_model.")


@dataclass(frozen=True)
class SemanticIdOptions:
    """Shape and training of the quantizer that gives items their codes.

    Raises:
        ValueError: If a value is out of bounds.
    """

    levels: Annotated[int, Ge(1), Doc("Codes per item, besides the one that tells equal items apart.")] = 3
    codebook_size: Annotated[
        int,
        Ge(0),
        Le(32_767),
        Doc(
            "Codes of a level; 0: the power of two nearest to the root of the number of items, which leaves room for "
            "all and still lets items share codes."
        ),
    ] = 0
    latent: Annotated[int, Ge(2), Doc("Width of what is quantised.")] = 32
    steps: Annotated[int, Ge(1), Doc("Steps of the optimiser.")] = 600
    batch_size: Annotated[int, Ge(1), Doc("Items of one step.")] = 512
    learning_rate: Annotated[float, Gt(0), Doc("Step size of AdamW.")] = 3e-3
    commitment: Annotated[
        float,
        Ge(0),
        Doc("Weight of the pull that keeps the encoder near its codes (VQ-VAE, arXiv 1711.00937)."),
    ] = 0.25

    def __post_init__(self) -> None:
        check_options(SemanticIdOptions, vars(self), prefix="foundation.semantic_ids.")
