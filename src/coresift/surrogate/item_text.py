"""Item vectors that know the item's title, so that an item nobody has bought yet has a vector too."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from coresift.surrogate.sasrec import START, SasRec

INITIAL_SPREAD = 0.02
"""Standard deviation of the entries of item vectors before training."""


def principal_components(vectors: Tensor, count: int) -> Tensor:
    """Return the coordinates (M, min(count, d)) of centered unit rows along their main directions, mean square 1."""
    rows = F.normalize(vectors.double(), dim=1)
    rows = rows - rows.mean(0)
    values, directions = torch.linalg.eigh(rows.T @ rows)
    # A direction and its opposite are equally principal: the sign is fixed so that a run can be repeated.
    main = directions[:, values.argsort(descending=True)[:count]]
    main = main * main.gather(0, main.abs().argmax(0, keepdim=True)).sign()
    coordinates = rows @ main
    return (coordinates / coordinates.square().mean().sqrt().clamp(min=1e-12)).float()


def use_item_text(
    model: SasRec, how: str, text_vectors: Tensor | None, *, known: Tensor, generator: torch.Generator
) -> None:
    """Let titles shape the item vectors of a surrogate that is about to train.

    Args:
        model: The surrogate with its first weights.
        how: "none", "start", "sum" or "auto", as `SurrogateOptions.item_text` explains them.
        text_vectors: (M, d'); not read if `how` is "none".
        known: Whether an item has a training interaction, (M,) bool.
        generator: Draws the first projection of "sum".

    Raises:
        ValueError: `how` is unknown, or text vectors are missing or of another catalogue.
    """
    if how == "auto":
        how = "none" if text_vectors is None else "sum"
    if how == "none":
        return
    if how not in {"start", "sum"}:
        raise ValueError(f"item_text '{how}' is unknown: use auto, none, start or sum.")
    if text_vectors is None or len(text_vectors) != model.config.n_items:
        raise ValueError(
            f"item_text '{how}' needs one text vector for each of {model.config.n_items} items: "
            "pass item_text_vectors, or set item_text to none."
        )
    if how == "start":
        _start_from_text(model, text_vectors)
    else:
        text = principal_components(text_vectors, text_vectors.shape[1])
        table = OwnPlusText(text, known, model.config.dimension, generator)
        parametrize.register_parametrization(model.tokens, "weight", table)


def _start_from_text(model: SasRec, text_vectors: Tensor) -> None:
    """Let item vectors begin as the main directions of the text vectors instead of at random."""
    coordinates = principal_components(text_vectors, model.config.dimension)
    with torch.no_grad():
        model.tokens.weight[START + 1 :, : coordinates.shape[1]] = INITIAL_SPREAD * coordinates


class OwnPlusText(nn.Module):
    """The token table as what is learned of each item plus one learned projection of its text.

    An item without a training interaction has no part of its own: negatives alone would only push it away.
    """

    text: Tensor
    known: Tensor

    def __init__(self, text: Tensor, known: Tensor, dimension: int, generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("text", F.pad(text, (0, 0, START + 1, 0)), persistent=False)
        self.register_buffer("known", F.pad(known.float(), (START + 1, 0), value=1.0)[:, None], persistent=False)
        self.projection = nn.Linear(text.shape[1], dimension, bias=False)
        nn.init.normal_(self.projection.weight, std=INITIAL_SPREAD / text.shape[1] ** 0.5, generator=generator)

    def forward(self, own: Tensor) -> Tensor:
        """Return the table (M + 1, d) that the model reads and scores with."""
        return own * self.known + self.projection(self.text)


def settle_text(model: SasRec) -> None:
    """Store the sums as the model's plain item vectors."""
    if parametrize.is_parametrized(model.tokens):
        parametrize.remove_parametrizations(model.tokens, "weight", leave_parametrized=True)
