"""What a sample is asked and what it answers: the next item, or whether one item will be liked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from coresift.prompting.histories import ItemFields, liked_items, rendered_histories, rendered_responses
from coresift.prompting.prompt_lengths import Render
from coresift.prompting.templates import ClickTemplates, CompiledTemplates, PromptTemplates


class Wording(ABC):
    """The words of every sample.

    Args:
        templates: The words around the data.
        items: The catalogue.
        users: Profiles; row = user id. Empty where there is none.
        history_length: Latest items of a history that are read.
        newest_first: Order of the items in a prompt.
        shorten: Cuts a text beside the history that would leave no room.
    """

    def __init__(
        self,
        templates: PromptTemplates | ClickTemplates,
        items: ItemFields,
        users: list[dict[str, object]],
        *,
        history_length: int,
        newest_first: bool,
        shorten: Callable[[str], str],
    ) -> None:
        self.templates = CompiledTemplates(templates)
        self.items = items
        self.users = users
        self.history_length = history_length
        self.newest_first = newest_first
        self.shorten = shorten

    def histories(self, samples: pa.Table) -> list[list[str]]:
        """Render the latest items of every sample's history, oldest first."""
        return rendered_histories(samples, self.items, self.templates, longest=self.history_length)

    @abstractmethod
    def prompts(self, samples: pa.Table) -> Render:
        """Return a function of a sample's position and what is left of its history, oldest first, to its prompt."""

    @abstractmethod
    def responses(self, samples: pa.Table) -> list[str]:
        """Return what every sample answers."""

    def profile(self, user: int) -> Mapping[str, object]:
        """Return a user's columns."""
        return self.users[user] if self.users else {}

    def beside(self, fields: Mapping[str, object], *, cut: bool) -> Mapping[str, object]:
        """Return fields that stand beside the history, their texts cut if asked for."""
        if not cut:
            return fields
        return {name: self.shorten(value) if isinstance(value, str) else value for name, value in fields.items()}

    def ordered(self, history: list[str]) -> list[str]:
        """Return items that are oldest first in the order of the prompt."""
        return history[::-1] if self.newest_first else history


class NextItemWording(Wording):
    """A history asks for the next item; the prompt knows nothing of it."""

    def prompts(self, samples: pa.Table) -> Render:
        """Return a function of a sample's position and what is left of its history, oldest first, to its prompt."""
        users = samples["user_id"].to_pylist()
        return lambda position, history, cut: self.templates.prompt(
            history=self.ordered(history), user=self.beside(self.profile(users[position]), cut=cut)
        )

    def responses(self, samples: pa.Table) -> list[str]:
        """Render the first target of every sample."""
        targets = np.asarray(pc.list_element(samples["targets"], 0), dtype=np.int64)
        return rendered_responses(targets, self.items, self.templates)


class ClickWording(Wording):
    """A history in two lists, liked and disliked, asks about one item; the answer is one of two words.

    Args:
        templates: The words around the data.
        items: The catalogue.
        users: Profiles; row = user id.
        history_length: Latest items of a history that are read.
        newest_first: Order of the items in each list.
        shorten: Cuts a text beside the history that would leave no room.
    """

    def __init__(
        self,
        templates: ClickTemplates,
        items: ItemFields,
        users: list[dict[str, object]],
        *,
        history_length: int,
        newest_first: bool,
        shorten: Callable[[str], str],
    ) -> None:
        order: dict[str, Any] = {"history_length": history_length, "newest_first": newest_first, "shorten": shorten}
        super().__init__(templates, items, users, **order)
        self.positive, self.negative = templates.answers
        self.like_rating = templates.like_rating

    def prompts(self, samples: pa.Table) -> Render:
        """Return a function of a sample's position and what is left of its history, oldest first, to its prompt."""
        users = samples["user_id"].to_pylist()
        candidates = pc.list_element(samples["targets"], 0).to_pylist()
        liked = liked_items(samples, self.like_rating, longest=self.history_length)

        def prompt(position: int, history: list[str], cut: bool) -> str:
            flags = liked[position][len(liked[position]) - len(history) :]
            lists = (
                [text for text, flag in zip(history, flags, strict=True) if flag is kind] for kind in (True, False)
            )
            preferred, rejected = map(self.ordered, lists)
            return self.templates.prompt(
                liked=preferred,
                disliked=rejected,
                candidate=self.beside(self.items[candidates[position]], cut=cut),
                user=self.beside(self.profile(users[position]), cut=cut),
            )

        return prompt

    def responses(self, samples: pa.Table) -> list[str]:
        """Return the answer to every sample's label."""
        return [self.positive if label == 1 else self.negative for label in samples["label"].to_pylist()]
