"""Options of the recommender on semantic ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Lt
from typing_extensions import Doc

from coresift.recommenders.options import RecommenderOptions


@dataclass(frozen=True)
class CodeModelOptions(RecommenderOptions):
    """The recommender on codes of items, a small encoder-decoder."""

    name: ClassVar[str] = "semantic_id"
    reads_semantic_ids: ClassVar[bool] = True

    beams: Annotated[int, Ge(1), Doc("Fewest sequences kept while writing.")] = 50
    history_length: Annotated[int, Ge(1), Doc("Latest items of a history that are read.")] = 20
    tuning: Annotated[Literal["full", "lora"], Doc("All weights, or an adapter on random ones.")] = "full"
    width: Annotated[int, Ge(8), Doc("Length of a token's vector, a multiple of n_heads.")] = 128
    n_layers: Annotated[int, Ge(1), Doc("Layers of the encoder and of the decoder.")] = 2
    n_heads: Annotated[int, Ge(1), Doc("Attention heads.")] = 4
    dropout: Annotated[float, Ge(0), Lt(1), Doc("Share of activations dropped while training.")] = 0.1

    @property
    def shape(self) -> dict[str, float]:
        """Size of the encoder-decoder, by the names of the options."""
        return {name: getattr(self, name) for name in ("width", "n_layers", "n_heads", "dropout")}
