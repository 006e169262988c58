"""DIN in one file: will this user like this item? (Deep Interest Network, arXiv 1706.06978).

Every item of the history is weighed by how much it bears on the item in question; the weighted sum, that item and the
user's profile go through a small network. Its last hidden layer is the state that RecLoRA's gates read (arXiv
2408.03533). Two differences from the paper: an item of the history carries its rating, and users have no id of their
own, so that a new user has a state as good as anyone's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from coresift.ranking import list_lengths, list_rows, lists_from_rows, padded_lists
from coresift.storage import places_of
from coresift.surrogate.sample_scores import first_targets

NO_ITEM = -1
ROWS_AT_ONCE = 4096
RATING_PARTS = 2
"""A rating enters as its value, divided by the highest, and a flag that it is known."""


@dataclass(frozen=True)
class DinConfig:
    """Shape of the model.

    Attributes:
        n_items: Catalogue size M.
        profile: Values of every profile column that have an embedding of their own, by column; any other value shares
            one.
        highest_rating: Divides ratings.
        dimension: Width of item vectors.
        hidden: Width of the network's layers, and of the state.
        n_layers: Layers of the network.
        max_length: Newest items read of a history.
        dropout: Share of activations dropped while training.
    """

    n_items: int
    profile: dict[str, list[str]] = field(default_factory=dict)
    highest_rating: float = 5.0
    dimension: int = 32
    hidden: int = 64
    n_layers: int = 2
    max_length: int = 60
    dropout: float = 0.2


@dataclass(frozen=True)
class ClickFeatures:
    """N samples as tensors.

    Attributes:
        history: (N, L) item ids, padded on the left with -1.
        rating: (N, L, 2) value and presence of every history item's rating.
        target: (N,) item in question.
        profile: (N, P) code of every profile column; 0 for a value without an embedding.
    """

    history: Tensor
    rating: Tensor
    target: Tensor
    profile: Tensor

    def rows(self, places: Tensor | slice, device: torch.device) -> ClickFeatures:
        """Return some of the samples, on a device."""
        parts = (self.history, self.rating, self.target, self.profile)
        return ClickFeatures(*(part[places].to(device) for part in parts))


def click_features(samples: pa.Table, users: pa.Table, config: DinConfig) -> ClickFeatures:
    """Return what the model reads of samples.

    Args:
        samples: Table `samples`; the item in question is the first target.
        users: Table `users`, rows in any order.
        config: Shape of the model, which knows the profile's values.
    """
    width = min(config.max_length, max(1, int(list_lengths(samples["history"]).max(initial=0))))
    history = torch.from_numpy(padded_lists(samples["history"], width, padding=NO_ITEM))
    value = torch.from_numpy(_ratings(samples))[padded_lists(_places(samples["history"]), width, padding=-1)]
    rating = torch.stack([value.nan_to_num() / config.highest_rating, (~value.isnan()).float()], dim=-1)
    owner = places_of(samples["user_id"].to_numpy(), users["user_id"].to_numpy(), dataset="users", key="user_id")
    owners = users.take(pa.array(owner))
    codes = [_codes(owners[name], values) for name, values in config.profile.items()]
    profile = torch.stack(codes, dim=1) if codes else torch.empty(len(samples), 0, dtype=torch.int64)
    return ClickFeatures(history, rating, first_targets(samples), profile)


def _ratings(samples: pa.Table) -> NDArray[np.float32]:
    """Return the rating of every item of every history, one after the other, NaN where unknown; a NaN ends them."""
    rows, _ = list_rows(samples["history"])
    rated = np.asarray(pc.is_valid(samples["history_ratings"]))[rows]
    ratings = np.full(len(rows) + 1, np.nan, dtype=np.float32)
    known = pc.fill_null(pc.list_flatten(samples["history_ratings"]), np.nan)
    ratings[:-1][rated] = np.asarray(known, dtype=np.float32)
    return ratings


def _places(lists: pa.ChunkedArray) -> pa.ListArray:
    """Return, in the shape of some lists, the place of every value among all of them."""
    rows, _ = list_rows(lists)
    return lists_from_rows(rows, np.arange(len(rows)), len(lists))


def _codes(column: pa.ChunkedArray, values: list[str]) -> Tensor:
    found = pc.fill_null(pc.index_in(column.cast(pa.string()), value_set=pa.array(values, pa.string())), -1)
    return torch.from_numpy(np.asarray(found, dtype=np.int64) + 1)


def profile_values(users: pa.Table, *, fewest_users: int = 10, most_values: int = 64) -> dict[str, list[str]]:
    """Return the values of every profile column that enough users share.

    Args:
        users: Table `users`; columns besides `user_id` and `raw_id` are the profile.
        fewest_users: A rarer value tells nothing that could be learned.
        most_values: The most frequent ones are kept.
    """
    chosen: dict[str, list[str]] = {}
    for name in users.column_names:
        if name in {"user_id", "raw_id"} or pa.types.is_nested(users.schema.field(name).type):
            continue
        counts = users[name].cast(pa.string()).value_counts().to_pylist()
        shared = [(-entry["counts"], entry["values"]) for entry in counts if entry["values"] is not None]
        frequent = [value for count, value in sorted(shared) if -count >= fewest_users][:most_values]
        if frequent:
            chosen[name] = frequent
    return chosen


class Din(nn.Module):
    """The click surrogate."""

    kind: ClassVar[str] = "din"
    influence_module: ClassVar[str] = "output"
    """Name of the layer whose weights stand for the model in influence scores: the last one."""

    def __init__(self, config: DinConfig) -> None:
        super().__init__()
        self.config = config
        width = config.dimension
        self.items = nn.Embedding(config.n_items, width)
        self.columns = nn.ModuleList(nn.Embedding(len(values) + 1, width) for values in config.profile.values())
        self.seen = nn.Sequential(nn.Linear(width + RATING_PARTS, width), nn.ReLU())
        self.attention = nn.Sequential(nn.Linear(4 * width, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 1))
        sizes = [(2 + len(config.profile)) * width, *[config.hidden] * config.n_layers]
        layers = [_layer(*pair, config.dropout) for pair in pairwise(sizes)]
        self.network = nn.Sequential(*layers)
        self.output = nn.Linear(config.hidden, 1)

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return self.items.weight.device

    @property
    def item_vectors(self) -> Tensor:
        """Item vectors (M, d); row = item id. The model reads them; states are not multiplied with them."""
        return self.items.weight

    def states(self, features: ClickFeatures) -> Tensor:
        """Return the last hidden layer (B, h), one linear map away from the logit."""
        target = self.items(features.target)
        parts = [target, self.interest(features, target)]
        parts += [column(features.profile[:, place]) for place, column in enumerate(self.columns)]
        return self.network(torch.cat(parts, dim=1))

    def interest(self, features: ClickFeatures, target: Tensor) -> Tensor:
        """Return the history (B, d) summed by how much each item bears on the target; weights need not sum to 1."""
        seen = self.seen(torch.cat([self.items(features.history.clamp(min=0)), features.rating], dim=-1))
        asked = target.unsqueeze(1).expand_as(seen)
        weights = self.attention(torch.cat([asked, seen, asked - seen, asked * seen], dim=-1))
        return (weights * seen * (features.history >= 0).unsqueeze(-1)).sum(1)

    def forward(self, features: ClickFeatures) -> Tensor:
        """Return the logit (B,) of a click."""
        return self.output(self.states(features)).squeeze(-1)

    @torch.no_grad()
    def encode(self, features: ClickFeatures) -> tuple[Tensor, Tensor]:
        """Return states (N, h) and logits (N,) on the CPU, without dropout, whatever the mode."""
        was_training = self.training
        self.eval()
        states = torch.empty(len(features.target), self.config.hidden)
        for start in range(0, len(states), ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            states[block] = self.states(features.rows(block, self.device)).float().cpu()
        self.train(was_training)
        return states, self.logits_of(states)

    def logits_of(self, states: Tensor) -> Tensor:
        """Return the logits (N,) of a click that states (N, h) on the CPU stand for; the weights rest."""
        weight, bias = self.output.weight.detach().cpu(), self.output.bias.detach().cpu()
        return F.linear(states, weight, bias).squeeze(-1)


def _layer(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout))
