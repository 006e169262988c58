"""Parameters of the selection pipeline, made from the registry of selectors.

The selectors need torch and scikit-learn: this module is imported when parameters are checked, not when pipelines are
listed (see the package).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from annotated_types import Ge
from pydantic import Field, create_model
from typing_extensions import Doc

from coresift.parameters import StrictParameters, parameters_of
from coresift.selection import ALL, SELECTORS, Budget, ExportFormat, selector_of


def _options_of(method: str) -> tuple[type[StrictParameters], Any]:
    """Return the section of a method: the options that its constructor declares."""
    selector = SELECTORS[method]
    model = parameters_of(selector, name=f"{selector.__name__}Options", leave_out=selector.handled_elsewhere)
    return model, Field(default_factory=model, description=model.__doc__)


if TYPE_CHECKING:
    Method: TypeAlias = str

    class SelectionOptions(StrictParameters):
        """One section per method; only the chosen one is used."""
else:
    Method = Literal[ALL, *SELECTORS]
    SelectionOptions = create_model(
        "SelectionOptions",
        __base__=StrictParameters,
        __module__=__name__,
        __doc__="One section per method; only the chosen one is used.",
        **{method: _options_of(method) for method in SELECTORS},
    )


class SelectionParameters(StrictParameters):
    """Which training samples the language model is tuned on."""

    method: Annotated[Method, Doc("How to select; 'all' takes every training sample with weight 1.")] = "goracs"
    budget: Budget = 256
    state_clusters: Annotated[
        int, Ge(0), Doc("Clusters of surrogate states that each get a part of the budget; 0 for none.")
    ] = 0
    export_format: Annotated[
        ExportFormat, Doc("Form of the exported coreset: chat messages, or prompt and completion.")
    ] = "messages"
    options: SelectionOptions = Field(default_factory=SelectionOptions, description="Options of every method.")

    def chosen_options(self) -> dict[str, Any]:
        """Return the options of the chosen method."""
        return {} if self.method == ALL else getattr(self.options, self.method).model_dump()

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of a pool that the chosen method looks at."""
        if self.method == ALL:
            return ()
        return selector_of(self.method, state_clusters=self.state_clusters, **self.chosen_options()).reads

    @property
    def reads_gradient_features(self) -> bool:
        """Whether the chosen method needs the dataset ``gradient_features``."""
        return "gradient_feature" in self.reads

    @property
    def reads_gradient_norms(self) -> bool:
        """Whether the chosen method needs the dataset ``gradient_norms``."""
        return "gradient_norm" in self.reads
