"""The titles of a catalogue as a language model reads and writes them: within the budget of its prompts."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from coresift.prompting import SequenceLayout, response_tokens
from coresift.recommenders.writing.token_trie import TokenTrie


class CatalogueTitles:
    """What can be told apart of the titles: those of equal tokens are one, whichever items bear them.

    Args:
        titles: Title of every item; row = item id.
        tokenizer: Tokenizer of the base model.
        longest: Most tokens of a response, its end included.
        vocabulary_size: One more than the largest token id.

    Attributes:
        sequences: (D) tokens of every distinct title with its end, as prompts are answered with them.
        title_of_item: (M,) row of every item's title.
        texts: (D) what is left of the distinct titles, as text.
    """

    def __init__(
        self, titles: list[str], tokenizer: PreTrainedTokenizerBase, *, longest: int, vocabulary_size: int
    ) -> None:
        self.longest = longest
        self.vocabulary_size = vocabulary_size
        wordings, wording_of_item = np.unique(np.array(titles, dtype=object), return_inverse=True)
        responses = response_tokens(tokenizer, wordings.tolist(), longest)
        rows: dict[tuple[int, ...], int] = {}
        row_of_wording = [rows.setdefault(tuple(tokens), len(rows)) for tokens in responses.tokens]
        first = {row: wording for wording, row in reversed(list(enumerate(row_of_wording)))}
        self.sequences = [list(tokens) for tokens in rows]
        self.title_of_item = torch.tensor(row_of_wording)[torch.from_numpy(wording_of_item)]
        end = len(SequenceLayout.of(tokenizer).end)
        self.texts = [
            tokenizer.decode(tokens[: len(tokens) - end]).strip()
            if responses.is_cut[first[row]]
            else wordings[first[row]]
            for row, tokens in enumerate(self.sequences)
        ]

    def __len__(self) -> int:
        """Return the number of distinct titles."""
        return len(self.sequences)

    @cached_property
    def trie(self) -> TokenTrie:
        """The titles of all items as one tree; items of equal tokens share a leaf."""
        return TokenTrie([self.sequences[row] for row in self.title_of_item.tolist()], self.vocabulary_size)
