"""Parameter models that several pipelines share.

Each pipeline keeps its own model in ``pipelines/<name>/params.py``. Scalars are root models, because Kedro validates
models only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import MISSING
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model
from typing_extensions import Doc

from coresift.options import declared_options


class StrictParameters(BaseModel):
    """A frozen section of parameters that refuses names it does not know.

    A section of one of the library's dataclasses inherits from both, and so has the fields, bounds, meanings and checks
    that the dataclass declares: ``class FinetuningParameters(StrictParameters, FineTuningOptions)``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - as pydantic calls it
        """Take over what pydantic does not read of a declaration: meanings, and defaults that are made anew."""
        super().__pydantic_init_subclass__(**kwargs)
        made = {one.name: one.default_factory for one in getattr(cls, "__dataclass_fields__", {}).values()}
        for name, field in cls.model_fields.items():
            meaning = next((part.documentation for part in field.metadata if isinstance(part, Doc)), None)
            field.description = field.description or meaning
            if field.is_required() and made.get(name, MISSING) is not MISSING:
                field.default_factory = made[name]
                cls.model_rebuild(force=True)

    def model_post_init(self, context: object) -> None:
        """Check what the dataclass checks of its fields together."""
        check = getattr(self, "__post_init__", None)
        if check is not None:
            check()


def parameters_of(declaration: type, *, name: str, leave_out: Collection[str] = ()) -> type[StrictParameters]:
    """Return the strict model of the options that a class of the library declares.

    Args:
        declaration: A class whose constructor declares options, or a dataclass whose fields do.
        name: Name of the model.
        leave_out: Options that are no parameters, such as a seed that all stages share.
    """
    declared = declared_options(declaration, leave_out=leave_out)
    model_fields: dict[str, Any] = {
        option.name: (option.annotation, Field(option.default, description=option.meaning))
        for option in declared.values()
    }
    summary = (declaration.__doc__ or "").partition("\n")[0]
    return create_model(name, __base__=StrictParameters, __doc__=summary, **model_fields)


class Device(RootModel[Literal["auto", "cpu", "cuda", "mps"]]):
    """Where tensors are computed; ``auto`` takes the fastest device present."""

    model_config = ConfigDict(frozen=True)


class Dtype(RootModel[Literal["auto", "float32", "bfloat16", "nf4"]]):
    """Precision of the language model; ``auto`` is bfloat16 on a GPU that has it and float32 on a CPU.

    ``nf4`` keeps the base model's weights in four bits (needs a GPU and bitsandbytes); the adapter is not quantised.
    """

    model_config = ConfigDict(frozen=True)


class Threads(RootModel[Annotated[int, Field(ge=0)]]):
    """Number of CPU threads; 0 uses every core."""

    model_config = ConfigDict(frozen=True)


class Seed(RootModel[Annotated[int, Field(ge=0, lt=2**31)]]):
    """Seed of every random draw of a run."""

    model_config = ConfigDict(frozen=True)


class TuningShare(RootModel[Annotated[float, Field(ge=0, lt=1)]]):
    """Share of the validation samples that selection does not see and fine-tuning is watched on; 0: both use all."""

    model_config = ConfigDict(frozen=True)


class DataDirectory(RootModel[Annotated[str, Field(min_length=1)]]):
    """Folder (or fsspec address) that holds every dataset of the project."""

    model_config = ConfigDict(frozen=True)


class RawDirectory(RootModel[Annotated[str, Field(min_length=1)]]):
    """Folder, archive, URL or database of the raw data; the environment says what is expected there."""

    model_config = ConfigDict(frozen=True)


class DenseParameters(StrictParameters):
    """The dense recommender: prompt and items as vectors."""

    pooling: Literal["mean", "last"] = Field("mean", description="Which token vectors become the embedding.")
    temperature: float = Field(0.05, gt=0, description="Divides the cosine similarities in the softmax.")
    negatives: int = Field(128, ge=0, description="Random items per training step beside the in-batch targets.")
    history_share: float = Field(0.4, ge=0, le=1, description="Share of the history's items in what a prompt ranks by.")
    history_decay: float = Field(0.75, gt=0, le=1, description="Weight of an older item, relative to the next newer.")


class TitleGenerationParameters(StrictParameters):
    """The generative recommender: the model writes the next title."""

    decoding: Literal["grounding", "trie", "likelihood"] = Field(
        "grounding", description="Nearest titles to a free text, catalogue titles only, or every title scored exactly."
    )
    beams: int = Field(4, ge=1, description="Texts kept while writing; trie lists as many titles at most.")
    loss_on: Literal["response", "all"] = Field("response", description="Tokens that are learnt.")
    popularity_weight: float = Field(0.0, ge=0, description="Lets popular items come nearer in grounding; 0: no.")


class SemanticIdParameters(StrictParameters):
    """The recommender on codes of items, a small encoder-decoder."""

    beams: int = Field(50, ge=1, description="Fewest sequences kept while writing.")
    history_length: int = Field(20, ge=1, description="Latest items of a history that are read.")
    tuning: Literal["full", "lora"] = Field("full", description="All weights, or an adapter on random ones.")
    width: int = Field(128, ge=8, description="Length of a token's vector, a multiple of n_heads.")
    n_layers: int = Field(2, ge=1, description="Layers of the encoder and of the decoder.")
    n_heads: int = Field(4, ge=1, description="Attention heads.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of activations dropped while training.")


class YesNoParameters(StrictParameters):
    """The click recommender: will the user like the item, yes or no."""

    answers: tuple[str, str] = Field(("Yes", "No"), description="Positive and negative answer, one token each.")
    pooling: Literal["mean", "last"] = Field("mean", description="Which token states an encoder's answer reads.")


class RecommenderParameters(StrictParameters):
    """How the language model recommends; shared by prompting, attribution, fine-tuning and evaluation."""

    name: Literal["title_generation", "yes_no", "semantic_id", "dense"] = Field(
        "dense", description="Which recommender; only its own section is used."
    )
    semantic_id: SemanticIdParameters = Field(SemanticIdParameters(), description="Codes of the next item.")
    title_generation: TitleGenerationParameters = Field(TitleGenerationParameters(), description="The next title.")
    dense: DenseParameters = Field(DenseParameters(), description="Nearest items to the prompt.")
    yes_no: YesNoParameters = Field(YesNoParameters(), description="Click prediction.")

    def options(self) -> dict[str, Any]:
        """Return the chosen name and its own options, as ``build_recommender`` takes them."""
        return {"name": self.name, **getattr(self, self.name).model_dump()}


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


class PersonalizationParameters(StrictParameters):
    """A mixture of adapters per user (RecLoRA); rank, scale and targets of each are those of ``adapter``."""

    enabled: bool = Field(False, description="Mix a bank of adapters by the surrogate's state of each user.")
    n_adapters: int = Field(4, ge=1, description="Adapters of the bank.")
    mix: Literal["output", "weight"] = Field("output", description="Add outputs, or mix the matrices first.")
    square_root: bool = Field(False, description="Mix by the square roots of the shares.")
    gate: Literal["per_module", "shared_trunk", "shared"] = Field(
        "shared_trunk", description="Networks per adapted layer, one with a head per layer, or the same shares."
    )
    gate_hidden: int = Field(64, ge=0, description="Hidden units of a gate; 0: one Linear layer, as in iLoRA.")
    gate_dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the hidden units while training.")
    gate_rate: float = Field(5.0, gt=0, description="The gates' learning rate, times that of the bank.")
    temperature: float = Field(1.0, gt=0, description="Divides the gate's logits at the start.")
    learn_temperature: bool = Field(True, description="Whether training may change the temperature.")
