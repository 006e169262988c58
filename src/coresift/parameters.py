"""Parameter models that several pipelines share.

Each pipeline keeps its own model in ``pipelines/<name>/params.py``. Scalars are root models, because Kedro validates
models only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import MISSING
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model
from typing_extensions import Doc

from coresift.options import declared_options
from coresift.personalization.mixture_options import SET_ELSEWHERE, RecLoraConfig
from coresift.recommenders.options import AdapterOptions, RecommenderOptions
from coresift.recommenders.registry import DEFAULT_RECOMMENDER, RECOMMENDER_OPTIONS, recommender_options
from coresift.typing import Table

if TYPE_CHECKING:
    from coresift.personalization import SampleStates
    from coresift.recommenders import RecommenderInputs


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


def section_of(declaration: type) -> tuple[type[StrictParameters], Any]:
    """Return a section of parameters as a field: the model of a declaration, which is its own default."""
    model = parameters_of(declaration, name=declaration.__name__.replace("Options", "Parameters"))
    return model, Field(model(), description=model.__doc__)


class Device(RootModel[Literal["auto", "cpu", "cuda", "mps"]]):
    """Where tensors are computed; ``auto`` takes the fastest device present."""

    model_config = ConfigDict(frozen=True)


class Dtype(RootModel[Literal["auto", "float32", "bfloat16", "nf4"]]):
    """Precision of the language model; ``auto`` is bfloat16 on a GPU that has it and float32 on a CPU.

    ``nf4`` keeps the base model's weights in four bits (needs a GPU and bitsandbytes); the adapter is not quantized.
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


_SECTIONS: dict[str, Any] = {
    "name": (
        Literal[tuple(RECOMMENDER_OPTIONS)],
        Field(DEFAULT_RECOMMENDER, description="Which recommender; only its own section is used."),
    ),
    **{name: section_of(declaration) for name, declaration in RECOMMENDER_OPTIONS.items()},
}


class RecommenderParameters(create_model("_RecommenderSections", __base__=StrictParameters, **_SECTIONS)):  # type: ignore[misc] # a section per declaration
    """How the language model recommends; shared by prompting, attribution, fine-tuning and evaluation."""

    @property
    def options(self) -> RecommenderOptions:
        """The options of the chosen recommender."""
        values = self.model_dump()
        return recommender_options(values["name"], **values[values["name"]])

    def inputs(
        self,
        base_model: Path,
        items: Table,
        semantic_ids: Table,
        *,
        device: Device,
        dtype: Dtype,
        seed: Seed,
    ) -> RecommenderInputs[Any]:
        """Return what every stage builds the chosen recommender from; see ``RecommenderInputs``."""
        from coresift.recommenders import RecommenderInputs

        return RecommenderInputs(
            self.options, base_model, items, semantic_ids, device=device.root, dtype=dtype.root, random_state=seed.root
        )


class AdapterParameters(parameters_of(AdapterOptions, name="AdapterSection", leave_out={"mixture"})):  # type: ignore[misc] # its declaration
    """The LoRA adapter; shared by attribution and fine-tuning."""

    def options(self, mixture: RecLoraConfig | None = None) -> AdapterOptions:
        """Return the adapter, mixed per user where a mixture is given."""
        return AdapterOptions(**self.model_dump(), mixture=mixture)


class PersonalizationParameters(parameters_of(RecLoraConfig, name="MixtureSection", leave_out=SET_ELSEWHERE)):  # type: ignore[misc] # its declaration
    """A mixture of adapters per user (RecLoRA); rank, scale and targets of each are those of ``adapter``."""

    enabled: bool = Field(False, description="Mix a bank of adapters by the surrogate's state of each user.")

    def mixture(self, states: SampleStates | None) -> RecLoraConfig | None:
        """Return the mixture whose gates read these states; None where there are none."""
        return RecLoraConfig.for_states(states, **self.model_dump(exclude={"enabled"})) if states is not None else None
