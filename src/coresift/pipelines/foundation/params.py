"""Parameters of the foundation pipeline."""

from __future__ import annotations

from pydantic import Field

from coresift.parameters import StrictParameters


class SmallModelParameters(StrictParameters):
    """Size and training of the language model that is trained here where no other is given."""

    vocabulary_size: int = Field(4096, ge=512, description="Most tokens of its tokenizer.")
    hidden_size: int = Field(192, ge=32, multiple_of=32, description="Width of a token's vector.")
    n_layers: int = Field(4, ge=1, description="Transformer layers.")
    training_steps: int = Field(120, ge=1, description="Steps of the optimiser; they bound the training time.")
    tokens_per_step: int = Field(2048, ge=128, description="Tokens of one step.")
    learning_rate: float = Field(3e-3, gt=0, description="Peak of the learning rate.")
    held_out_share: float = Field(0.05, gt=0, lt=1, description="Share of the distinct titles that only measure.")


class SemanticIdParameters(StrictParameters):
    """The codes of items, which recommender semantic_id reads."""

    levels: int = Field(3, ge=1, description="Codes per item, besides the one that tells equal items apart.")
    codebook_size: int = Field(0, ge=0, le=32_767, description="Codes of a level; 0: near the root of the items.")
    latent: int = Field(32, ge=2, description="Width of what is quantised.")
    steps: int = Field(600, ge=1, description="Steps of the optimiser.")
    batch_size: int = Field(512, ge=1, description="Items of one step.")
    learning_rate: float = Field(3e-3, gt=0, description="Step size of AdamW.")
    commitment: float = Field(0.25, ge=0, description="Weight of the pull that keeps the encoder near its codes.")


class FoundationParameters(StrictParameters):
    """Which language model the project stands on, and how texts become vectors."""

    model: str | None = Field(None, description="Folder of a model, or a hub id; null trains a small one.")
    revision: str | None = Field(None, description="Commit, tag or branch of a hub id; null is the main branch.")
    small_model: SmallModelParameters = Field(SmallModelParameters(), description="The model trained here.")
    text_vectors: str = Field("tfidf", description="tfidf, or the folder or hub id of a sentence encoder.")
    text_dimensions: int = Field(256, ge=1, description="Length of a tfidf vector.")
    semantic_ids: SemanticIdParameters = Field(SemanticIdParameters(), description="Codes of items.")
