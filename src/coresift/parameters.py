"""Parameter models that several pipelines share.

Each pipeline keeps its own model in ``pipelines/<name>/params.py``. Scalars are root models, because Kedro validates
models only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel


class StrictParameters(BaseModel):
    """A frozen section of parameters that refuses names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Device(RootModel[Literal["auto", "cpu", "cuda", "mps"]]):
    """Where tensors are computed; ``auto`` takes the fastest device present."""

    model_config = ConfigDict(frozen=True)


class Dtype(RootModel[Literal["auto", "float32", "bfloat16"]]):
    """Precision of the language model; ``auto`` is bfloat16 on a GPU that has it and float32 on a CPU."""

    model_config = ConfigDict(frozen=True)


class Threads(RootModel[Annotated[int, Field(ge=0)]]):
    """Number of CPU threads; 0 uses every core."""

    model_config = ConfigDict(frozen=True)


class Seed(RootModel[Annotated[int, Field(ge=0, lt=2**31)]]):
    """Seed of every random draw of a run."""

    model_config = ConfigDict(frozen=True)


class DataDirectory(RootModel[Annotated[str, Field(min_length=1)]]):
    """Folder (or fsspec address) that holds every dataset of the project."""

    model_config = ConfigDict(frozen=True)


class RecommenderParameters(StrictParameters):
    """How the language model recommends; shared by attribution, fine-tuning and evaluation."""

    name: Literal["dense"] = Field("dense", description="Recommender: dense embeds prompt and items.")
    pooling: Literal["mean", "last"] = Field("mean", description="Which token vectors become the embedding.")
    temperature: float = Field(0.05, gt=0, description="Divides the cosine similarities in the softmax.")
    negatives: int = Field(128, ge=0, description="Random items per training step beside the in-batch targets.")


class AdapterParameters(StrictParameters):
    """The LoRA adapter; shared by attribution and fine-tuning."""

    r: int = Field(8, ge=1, description="Rank of each adapter.")
    alpha: int = Field(16, ge=1, description="Scale: the update is multiplied by alpha / r.")
    dropout: float = Field(0.05, ge=0, lt=1, description="Dropout on the adapter's input while training.")
    targets: list[str] | None = Field(
        None, description="Names of the adapted Linear layers; null takes the query and value projections."
    )
    use_rslora: bool = Field(False, description="Scale by alpha / sqrt(r) instead (rsLoRA).")
    use_dora: bool = Field(False, description="Decompose weights into direction and magnitude (DoRA).")
