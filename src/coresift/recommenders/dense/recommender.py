"""The dense recommender: one language model embeds prompts and items; the score is their cosine.

A hierarchical language model recommender in the manner of HLLM (arXiv 2409.12740), tuned with LoRA and a sampled
softmax; for ranking, the history's item vectors are mixed into the prompt's. It takes encoders and decoders.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from coresift.ranking import top_items
from coresift.recommenders.adapters import weights_fingerprint
from coresift.recommenders.batches import Batch, in_length_order
from coresift.recommenders.contract import Recommender, ScoreBlock, evaluating
from coresift.recommenders.dense.history_vectors import with_history_vectors
from coresift.recommenders.dense.options import DenseOptions
from coresift.recommenders.dense.rows import DenseRows
from coresift.recommenders.dense.sampled_softmax import in_history, sampled_softmax
from coresift.recommenders.inputs import LoadedModel, RecommenderInputs
from coresift.recommenders.pooling import pooled_unit_vectors
from coresift.recommenders.tokens import RaggedIntegers

ITEM_TOKENS = 64
"""Longest item text in tokens."""
LENGTH_GROUPS = 6
"""Groups of similar length in which a training step embeds its items."""
ENCODING_BATCH = 256
"""Texts embedded at once where no gradient is needed."""
FIXED_NEGATIVES_SEED = 7919
"""Stream of the fixed negatives, apart from those of training."""


class DenseRecommender(Recommender[DenseOptions]):
    """Rank items by the cosine of their text's embedding with the prompt's.

    Args:
        model: Body of a language model, bare or with a LoRA adapter.
        tokenizer: Its tokenizer.
        item_texts: Text of every item; row = item id.
        base_name: Hub id or fingerprint of the base model.
        options: Those of the recommender; None takes the defaults.
        dtype: Precision of the model's products; vectors and losses stay float32.
        random_state: Seed of the fixed negatives.

    Raises:
        ValueError: If the model is an encoder-decoder, which has no single embedding.
    """

    declared = DenseOptions
    scores_items = True
    bound_options: ClassVar[tuple[str, ...]] = ("pooling",)

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        item_texts: list[str],
        *,
        base_name: str,
        options: DenseOptions | None = None,
        dtype: torch.dtype = torch.float32,
        random_state: int = 0,
    ) -> None:
        if model.config.is_encoder_decoder:
            raise ValueError("foundation.model: the dense recommender takes an encoder or a decoder, not both in one")
        super().__init__(model, tokenizer, base_name=base_name, options=options or DenseOptions(), dtype=dtype)
        self.n_negatives = min(self.options.negatives, len(item_texts))
        self.n_items = len(item_texts)
        self.item_tokens = RaggedIntegers.from_texts(
            item_texts, tokenizer, padding=self.padding, max_tokens=ITEM_TOKENS
        )
        generator = np.random.default_rng([random_state, FIXED_NEGATIVES_SEED])
        self._cached_items: tuple[str, Tensor] | None = None
        self.fixed_negatives = torch.from_numpy(generator.choice(self.n_items, self.n_negatives, replace=False))

    @classmethod
    def from_inputs(cls, inputs: RecommenderInputs[DenseOptions], loaded: LoadedModel) -> Self:
        """Build the recommender around the model that was loaded for it."""
        return cls(
            loaded.model,
            loaded.tokenizer,
            inputs.item_texts,
            base_name=loaded.base_name,
            options=inputs.options,
            dtype=inputs.precision,
            random_state=inputs.random_state,
        )

    def rows(self, prompts: pa.Table, *, weights: Tensor | None = None) -> DenseRows:
        """Return samples ready for a data loader; an optional ``history`` column names items that are no negatives."""
        return DenseRows(prompts, padding=self.padding, weights=weights)

    def shared_tensors(self) -> Batch:
        """Ids and vectors of the fixed negatives, without gradients, dropout off."""
        with evaluating(self.model), torch.no_grad():
            vectors = self.embed(self.model, self.item_tokens, self.fixed_negatives)
        return {"negative_ids": self.fixed_negatives.to(self.device), "negative_vectors": vectors}

    def embed(
        self, model: nn.Module, tokens: RaggedIntegers, rows: Tensor, *, sample_id: Tensor | None = None
    ) -> Tensor:
        """Return unit vectors (B, d) of the token lists at ``rows``, with gradients where they are enabled.

        Args:
            model: The model.
            tokens: Token lists.
            rows: (B,) which of them.
            sample_id: Of every token list; None for items, which belong to no user.
        """
        input_ids, attention_mask = tokens.padded(rows)
        with self.bind_samples(None if sample_id is None else sample_id[rows]):
            return self.embed_tokens(model, input_ids.to(self.device), attention_mask.to(self.device))

    def embed_prompts(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return unit vectors (B, d) of a batch's prompts."""
        with self.bind_samples(batch["sample_id"]):
            return self.embed_tokens(model, batch["input_ids"], batch["attention_mask"])

    def embed_by_length(self, model: nn.Module, tokens: RaggedIntegers, rows: Tensor) -> Tensor:
        """Like ``embed``, in a few groups of similar length, so that one long text does not pad all others."""
        order = torch.from_numpy(tokens.lengths[rows]).argsort(stable=True)
        parts = [self.embed(model, tokens, rows[group]) for group in order.tensor_split(LENGTH_GROUPS) if len(group)]
        return torch.cat(parts)[order.argsort().to(self.device)]

    def embed_tokens(self, model: nn.Module, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return unit vectors (B, d) of padded token ids (B, T)."""
        with self._precision():
            states = model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return pooled_unit_vectors(states, attention_mask, self.options.pooling)

    def training_loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the sampled softmax (B,) against in-batch targets and fresh random items, all embedded with gradients.

        Items that occur twice count once; a sample's own history gives no negatives.
        """
        queries = self.embed_prompts(model, batch)
        drawn = torch.randint(self.n_items, (self.n_negatives,), generator=generator)
        candidates, columns = torch.cat([batch["target_id"].cpu(), drawn]).unique(return_inverse=True)
        logits = queries @ self.embed_by_length(model, self.item_tokens, candidates).T / self.options.temperature
        blocked = in_history(candidates.to(self.device), batch["history"])
        return sampled_softmax(logits, columns[: len(queries)].to(self.device), blocked)

    def sample_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Softmax (B,) of the target, embedded with gradients, against fixed negatives without; couples no samples."""
        queries = self.embed_prompts(model, batch)
        targets = self.embed(model, self.item_tokens, batch["target_id"].cpu())
        own = (queries * targets).sum(1, keepdim=True)
        logits = torch.cat([own, queries @ batch["negative_vectors"].T], dim=1) / self.options.temperature
        negatives = batch["negative_ids"]
        blocked = in_history(negatives, batch["history"]) | (negatives == batch["target_id"].unsqueeze(1))
        blocked = torch.cat([torch.zeros_like(blocked[:, :1]), blocked], dim=1)
        return sampled_softmax(logits, torch.zeros(len(own), dtype=torch.int64, device=own.device), blocked)

    def rank(self, prompts: pa.Table, k: int, seen: pa.ListArray | None = None) -> tuple[Tensor, Tensor]:
        """Return the k best items of every prompt: ids (N, k) int64, best first, and cosines (N, k) float32.

        Args:
            prompts: N prompts, optionally with a ``history`` column.
            k: Length of every list.
            seen: Per prompt the items that must not appear.
        """
        return top_items(self.query_vectors(prompts), self.item_vectors(), k, seen=seen)

    def item_logits(self, prompts: pa.Table) -> ScoreBlock:
        """Return what scores a slice of the prompts against every item: cosines (b, M) divided by the temperature."""
        queries, items = self.query_vectors(prompts), self.item_vectors()
        return lambda block: queries[block] @ items.T / self.options.temperature

    def query_vectors(self, prompts: pa.Table) -> Tensor:
        """Return what prompts are ranked with: unit vectors (N, d) of each and of its history's items."""
        rows = self.rows(prompts)
        mixture = {"share": self.options.history_share, "decay": self.options.history_decay}
        return with_history_vectors(self._prompt_vectors(rows), rows.history, self.item_vectors(), **mixture)

    def prompt_vectors(self, prompts: pa.Table) -> Tensor:
        """Return the unit vectors (N, d) of the prompts alone, in their order, dropout off."""
        return self._prompt_vectors(self.rows(prompts))

    def _prompt_vectors(self, rows: DenseRows) -> Tensor:
        return self.encode(rows.tokens, sample_id=rows.sample_id, description="Embedding prompts")

    def item_vectors(self) -> Tensor:
        """Return the unit vectors (M, d) of the whole catalogue; row = item id. Kept until a weight changes."""
        weights = weights_fingerprint(self.model)
        if self._cached_items is None or self._cached_items[0] != weights:
            self._cached_items = weights, self.encode(self.item_tokens, description="Embedding items")
        return self._cached_items[1]

    def encode(
        self,
        tokens: RaggedIntegers,
        *,
        description: str,
        sample_id: Tensor | None = None,
        batch_size: int = ENCODING_BATCH,
    ) -> Tensor:
        """Embed every token list without gradients, longest first, and return (N, d) vectors in the given order."""
        vectors = torch.empty(len(tokens), self.model.config.hidden_size, device=self.device)

        def embed(places: Tensor) -> Tensor:
            return self.embed(self.model, tokens, places, sample_id=sample_id)

        with evaluating(self.model):
            for places, part in in_length_order(tokens.lengths, batch_size, embed, description=description):
                vectors[places.to(self.device)] = part
        return vectors

    def facts(self) -> dict[str, object]:
        """Options that an adapter is trained for."""
        return {"pooling": self.options.pooling, "temperature": self.options.temperature, "item_text": "text"}
