"""The generative recommender: a language model writes the title of the next item (BIGRec, arXiv 2308.08434).

Three ways lead from the model to a ranking: ``grounding`` lets it write freely and ranks items by their distance to the
text, ``trie`` lets it write titles of the catalogue only, ``likelihood`` scores every title exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self, TypeVar

import pyarrow as pa
import torch
from peft import PeftModel, TaskType
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from coresift.attribution import mean_token_loss
from coresift.foundation import load_generator
from coresift.prompting import LONGEST_RESPONSE, SequenceLayout, response_budget
from coresift.ranking import Lists, top_items_from
from coresift.recommenders.batches import Batch, SampleRows, in_length_order, place_in_text
from coresift.recommenders.contract import Recommender, evaluating
from coresift.recommenders.inputs import LoadedModel, RecommenderInputs
from coresift.recommenders.pooling import MAX_TOKENS, last_token_vectors
from coresift.recommenders.title_generation.catalogue_titles import CatalogueTitles
from coresift.recommenders.title_generation.grounding import ground
from coresift.recommenders.title_generation.likelihood import CatalogueLikelihood
from coresift.recommenders.title_generation.options import TitleGenerationOptions
from coresift.recommenders.title_generation.rows import TitleRows
from coresift.recommenders.tokens import prompt_tokens
from coresift.recommenders.writing.constrained_beams import beam_settings, best_sequences, own_settings_only
from coresift.recommenders.writing.listed_items import items_of_leaves
from coresift.recommenders.writing.token_trie import TokenTrie

ROWS_PER_GENERATION = 256
"""Beams of all prompts that are written at once."""
PROMPTS_PER_LIKELIHOOD = 4
"""Prompts whose titles are scored at once."""

Result = TypeVar("Result")


class TitleGenerationRecommender(Recommender[TitleGenerationOptions]):
    """Rank items by what a language model writes, or would write, after a prompt.

    A title longer than the prompts' ``max_response_tokens`` is learnt cut, and written, scored and ranked as it was
    learnt. Items of the same title, or of one that is the same after the cut, get the same score and stand next to each
    other by their id, so that a title is credited whichever of them is the target.

    Args:
        model: A causal language model with its head, bare or with an adapter.
        tokenizer: Its tokenizer.
        titles: Title of every item; row = item id.
        base_name: Hub id or fingerprint of the base model.
        options: Those of the recommender; None takes the defaults.
        item_counts: (M,) interactions of every item; needed with a popularity weight.
        dtype: Precision of the model's products; losses and scores stay float32.

    Raises:
        ValueError: If the tokenizer has no token that ends a text.
    """

    declared = TitleGenerationOptions

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        titles: list[str],
        *,
        base_name: str,
        options: TitleGenerationOptions | None = None,
        item_counts: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(
            model, tokenizer, base_name=base_name, options=options or TitleGenerationOptions(), dtype=dtype
        )
        self.titles = titles
        self.item_counts = item_counts
        ends = SequenceLayout.of(tokenizer).end
        if not ends:
            raise ValueError("foundation.model: its tokenizer has no token that ends a text; give it an eos_token")
        self.end = tokenizer.eos_token_id if tokenizer.eos_token_id in ends else ends[0]
        self._catalogue: CatalogueTitles | None = None
        self._title_vectors: tuple[CatalogueTitles, Tensor] | None = None

    @classmethod
    def load_base(cls, inputs: RecommenderInputs[TitleGenerationOptions]) -> PreTrainedModel:
        """Load a decoder with its head; an encoder is refused."""
        return load_generator(inputs.base_model, dtype=inputs.precision, four_bits_on=inputs.four_bits_on)

    @classmethod
    def task_of(cls, base: PreTrainedModel) -> TaskType:
        """Return what peft shall call the model's task."""
        return TaskType.CAUSAL_LM

    @classmethod
    def from_inputs(cls, inputs: RecommenderInputs[TitleGenerationOptions], loaded: LoadedModel) -> Self:
        """Build the recommender around the model that was loaded for it."""
        return cls(
            loaded.model,
            loaded.tokenizer,
            inputs.item_titles,
            base_name=loaded.base_name,
            options=inputs.options,
            item_counts=inputs.item_counts,
            dtype=inputs.precision,
        )

    def rows(self, prompts: pa.Table, *, weights: Tensor | None = None) -> TitleRows:
        """Prompts with their titles, ready for a data loader."""
        self.catalogue_for(prompts)
        return TitleRows(prompts, self.titles, loss_on=self.options.loss_on, padding=self.padding, weights=weights)

    def sample_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross-entropy (B,) of every sample's scored tokens, in nats; couples no samples."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
        with self._precision(), self.bind_samples(batch["sample_id"]):
            return mean_token_loss(model, inputs)

    def rank(self, prompts: pa.Table, k: int, seen: Lists | None = None) -> tuple[Tensor, Tensor]:
        """Return the k best items of every prompt: ids (N, k) int64, best first, and scores (N, k) float32.

        Scores are negative distances (``grounding``) or log-likelihoods. ``trie`` lists at most as many titles as
        there are beams; -1 and minus infinity stand behind them.

        Args:
            prompts: N prompts.
            k: Length of every list.
            seen: Per prompt the items that must not appear.
        """
        self.catalogue_for(prompts)
        ways = {"grounding": self._rank_grounded, "trie": self._rank_written, "likelihood": self._rank_exactly}
        return ways[self.options.decoding](prompts, k, seen)

    def generate(self, prompts: pa.Table) -> list[str]:
        """Write the likeliest continuation of every prompt by free beam search, in their order."""
        longest = self.catalogue_for(prompts).trie.longest
        settings = beam_settings(self.options.beams, returned=1, longest=longest, end=self.end, padding=self.padding)

        def write(batch: Batch) -> list[str]:
            with own_settings_only(self.model):
                written = self.model.generate(**batch, generation_config=settings).sequences
            return self.tokenizer.batch_decode(written[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)

        texts = [""] * len(prompts)
        for places, part in self._passes(prompts, ROWS_PER_GENERATION // self.options.beams, write, "Writing titles"):
            for place, text in zip(places.tolist(), part, strict=True):
                texts[place] = text.strip()
        return texts

    def text_vectors(self, texts: list[str]) -> Tensor:
        """Return the base model's last-token state (N, d) float32 of every text."""
        longest = max(MAX_TOKENS, self.catalogue.longest)
        with evaluating(self.model), self._precision(), self.bind_samples(None):
            return last_token_vectors(self.model, self.tokenizer, texts, padding=self.padding, longest=longest)

    @property
    def catalogue(self) -> CatalogueTitles:
        """The titles as the prompts seen last cut them; before any, as prompts do that say nothing else."""
        return self._catalogue or self._read_titles(LONGEST_RESPONSE)

    def catalogue_for(self, prompts: pa.Table) -> CatalogueTitles:
        """Read the titles as these prompts cut their responses."""
        longest = response_budget(prompts, self.tokenizer)
        if self._catalogue is None or self._catalogue.longest != longest:
            return self._read_titles(longest)
        return self._catalogue

    def _read_titles(self, longest: int) -> CatalogueTitles:
        size = self.model.config.vocab_size
        self._catalogue = CatalogueTitles(self.titles, self.tokenizer, longest=longest, vocabulary_size=size)
        return self._catalogue

    @property
    def title_of_item(self) -> Tensor:
        """Row (M,) of every item's title among the distinct ones."""
        return self.catalogue.title_of_item

    @property
    def title_vectors(self) -> Tensor:
        """The base model's vectors (D, d) of the distinct titles, made once: no adapter changes them."""
        if self._title_vectors is None or self._title_vectors[0] is not self.catalogue:
            self._title_vectors = self.catalogue, self.text_vectors(self.catalogue.texts)
        return self._title_vectors[1]

    @property
    def trie(self) -> TokenTrie:
        """All titles as the model would write them."""
        return self.catalogue.trie.to(self.device)

    def _rank_grounded(self, prompts: pa.Table, k: int, seen: Lists | None) -> tuple[Tensor, Tensor]:
        return ground(
            self.text_vectors(self.generate(prompts)),
            self.title_vectors,
            self.title_of_item,
            k,
            popularity=self.item_counts,
            popularity_weight=self.options.popularity_weight,
            seen=seen,
        )

    def _rank_written(self, prompts: pa.Table, k: int, seen: Lists | None) -> tuple[Tensor, Tensor]:
        beams = min(self.options.beams, len(self.catalogue))
        leaves = torch.full((len(prompts), beams), -1)
        scores = torch.full((len(prompts), beams), -torch.inf)

        ends = {"end": self.end, "padding": self.padding}

        def write(batch: Batch) -> tuple[Tensor, Tensor]:
            start = batch["input_ids"].shape[1]
            return best_sequences(self.model, batch, self.trie, beams=beams, start=start, **ends)

        for places, part in self._passes(prompts, ROWS_PER_GENERATION // beams, write, "Writing titles"):
            leaves[places], scores[places] = (tensor.cpu() for tensor in part)
        return items_of_leaves(leaves, scores, self.trie.leaf.cpu(), k, seen=seen)

    def _rank_exactly(self, prompts: pa.Table, k: int, seen: Lists | None) -> tuple[Tensor, Tensor]:
        likelihood = CatalogueLikelihood(self.trie)
        ids = torch.full((len(prompts), k), -1)
        scores = torch.full((len(prompts), k), -torch.inf)

        def score(batch: Batch) -> Tensor:
            places = place_in_text(batch["attention_mask"])
            return likelihood.log_likelihoods(self.model, batch | {"position_ids": places}).cpu()

        for places, part in self._passes(prompts, PROMPTS_PER_LIKELIHOOD, score, "Scoring titles"):
            known = None if seen is None else seen.take(pa.array(places.numpy()))
            ids[places], scores[places] = top_items_from(part.__getitem__, len(part), k, seen=known)
        return ids, scores

    def _passes(
        self, prompts: pa.Table, at_once: int, function: Callable[[Batch], Result], description: str
    ) -> Iterator[tuple[Tensor, Result]]:
        """Apply a function to batches of prompts, padded in front; yield places and results."""
        rows = SampleRows(prompts, prompt_tokens(prompts, padding=self.padding), left=True)

        def apply(places: Tensor) -> Result:
            batch = rows.__getitems__(places.tolist())
            inputs = {name: batch[name].to(self.device) for name in ("input_ids", "attention_mask")}
            with self._precision(), self.bind_samples(batch["sample_id"]):
                return function(inputs)

        with evaluating(self.model):
            yield from in_length_order(rows.lengths, max(1, at_once), apply, description=description)

    def facts(self) -> dict[str, object]:
        """Options that an adapter is trained for."""
        return {"loss_on": self.options.loss_on, "item_text": "title"}
