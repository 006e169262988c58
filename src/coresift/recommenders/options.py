"""What is declared of recommenders and adapters before anything heavy is loaded: options, and what they imply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Lt
from typing_extensions import Doc

from coresift.options import check_options
from coresift.personalization.mixture_options import RecLoraConfig


@dataclass(frozen=True)
class RecommenderOptions:
    """Options of a recommender; a subclass beside each recommender declares its own.

    Attributes:
        name: What ``recommender.name`` calls the recommender, and its section of parameters.
        reads_semantic_ids: Whether it reads the codes of items, which the foundation pipeline then learns.

    Raises:
        ValueError: If a value is out of bounds.
    """

    name: ClassVar[str]
    reads_semantic_ids: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_options(type(self), vars(self), prefix=f"recommender.{self.name}.")

    @property
    def click_answers(self) -> tuple[str, str] | None:
        """The positive and the negative answer of a recommender that predicts clicks; None of one that ranks items."""
        return None

    @property
    def predicts_clicks(self) -> bool:
        """Whether the recommender answers impressions instead of ranking the catalogue."""
        return self.click_answers is not None


@dataclass(frozen=True)
class AdapterOptions:
    """A LoRA adapter (Hu et al., arXiv 2106.09685).

    Raises:
        ValueError: If a value is out of bounds.
    """

    r: Annotated[int, Ge(1), Doc("Rank of each adapter.")] = 8
    alpha: Annotated[int, Ge(1), Doc("Scale: the update is multiplied by alpha / r.")] = 16
    dropout: Annotated[float, Ge(0), Lt(1), Doc("Dropout on the adapter's input while training.")] = 0.05
    targets: Annotated[
        Sequence[str] | None,
        Doc("Names of the adapted Linear layers; null takes the query and value projections."),
    ] = None
    use_rslora: Annotated[bool, Doc("Scale by alpha / sqrt(r) instead (rsLoRA).")] = False
    use_dora: Annotated[bool, Doc("Decompose weights into direction and magnitude (DoRA).")] = False
    mixture: Annotated[
        RecLoraConfig | None,
        Doc("Mix several such adapters per user; rank, scale, dropout and targets are those given here."),
    ] = None

    def __post_init__(self) -> None:
        check_options(type(self), vars(self), prefix="adapter.")
