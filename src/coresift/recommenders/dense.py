"""The dense recommender: one language model embeds prompts and items; the score is their cosine.

A hierarchical language model recommender in the manner of HLLM (arXiv 2409.12740), tuned with LoRA and a sampled
softmax. It takes encoders and decoders.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from coresift.compute import in_shrinking_batches, progress_bar
from coresift.ranking import top_items
from coresift.recommenders.adapters import merged_model, save_adapter
from coresift.recommenders.dense_rows import DenseBatches, DenseRows, Groups
from coresift.recommenders.evaluating import evaluating
from coresift.recommenders.length_groups import LengthGroupedBatches
from coresift.recommenders.pooling import pooled_unit_vectors
from coresift.recommenders.protocol import Batch
from coresift.recommenders.sampled_softmax import in_history, sampled_softmax
from coresift.recommenders.tokens import RaggedIntegers

ITEM_TOKENS = 64
"""Longest item text in tokens."""
LENGTH_GROUPS = 6
"""Groups of similar length in which a training step embeds its items."""
ENCODING_BATCH = 256
"""Texts embedded at once where no gradient is needed."""
FIXED_NEGATIVES_SEED = 7919
"""Stream of the fixed negatives, apart from those of training."""


class DenseRecommender:
    """Rank items by the cosine of their text's embedding with the prompt's.

    Args:
        model: Body of a language model, bare or with a LoRA adapter.
        tokenizer: Its tokenizer.
        item_texts: Text of every item; row = item id.
        base_name: Hub id or fingerprint of the base model.
        pooling: ``mean`` or ``last`` token.
        temperature: Divides the cosines in the softmax.
        negatives: Random items of a training step beside the in-batch targets; as many are fixed for
            ``sample_loss``.
        dtype: Precision of the model's products; vectors and losses stay float32.
        random_state: Seed of the fixed negatives.

    Raises:
        ValueError: If the model is an encoder-decoder, which has no single embedding.
    """

    name = "dense"

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        item_texts: list[str],
        *,
        base_name: str,
        pooling: str = "mean",
        temperature: float = 0.05,
        negatives: int = 128,
        dtype: torch.dtype = torch.float32,
        random_state: int = 0,
    ) -> None:
        if model.config.is_encoder_decoder:
            raise ValueError("foundation.model: the dense recommender takes an encoder or a decoder, not both in one")
        self.model = model
        self.tokenizer = tokenizer
        self.base_name = base_name
        self.pooling = pooling
        self.temperature = temperature
        self.n_negatives = min(negatives, len(item_texts))
        self.dtype = dtype
        self.n_items = len(item_texts)
        self.padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self.item_tokens = RaggedIntegers.from_texts(
            item_texts, tokenizer, padding=self.padding, max_tokens=ITEM_TOKENS
        )
        generator = np.random.default_rng([random_state, FIXED_NEGATIVES_SEED])
        self.fixed_negatives = torch.from_numpy(generator.choice(self.n_items, self.n_negatives, replace=False))

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return next(self.model.parameters()).device

    def rows(self, prompts: pa.Table, *, weights: Tensor | None = None) -> DenseRows:
        """Samples ready for a data loader; an optional ``history`` column names items that are no negatives."""
        return DenseRows(prompts, padding=self.padding, weights=weights)

    def batches(
        self,
        prompts: pa.Table,
        batch_size: int,
        *,
        shuffle: bool = False,
        weights: Tensor | None = None,
        random_state: int = 0,
    ) -> DenseBatches:
        """Re-iterable batches on the model's device, in the order of the rows unless shuffled.

        Every iteration embeds the fixed negatives anew with the model as it is by then.
        """
        rows = self.rows(prompts, weights=weights)
        grouped = LengthGroupedBatches(rows.lengths, batch_size, random_state=random_state)
        in_order = [list(range(start, min(start + batch_size, len(rows)))) for start in range(0, len(rows), batch_size)]
        groups: Groups = grouped if shuffle else in_order
        return DenseBatches(rows, groups, device=self.device, shared=self.embed_fixed_negatives)

    def embed_fixed_negatives(self) -> Batch:
        """Ids and vectors of the fixed negatives, without gradients, dropout off."""
        with evaluating(self.model), torch.no_grad():
            vectors = self.embed(self.model, self.item_tokens, self.fixed_negatives)
        return {"negative_ids": self.fixed_negatives.to(self.device), "negative_vectors": vectors}

    def embed(self, model: nn.Module, tokens: RaggedIntegers, rows: Tensor) -> Tensor:
        """Return unit vectors (B, d) of the token lists at ``rows``, with gradients where they are enabled."""
        input_ids, attention_mask = tokens.padded(rows)
        return self.embed_tokens(model, input_ids.to(self.device), attention_mask.to(self.device))

    def embed_by_length(self, model: nn.Module, tokens: RaggedIntegers, rows: Tensor) -> Tensor:
        """Like ``embed``, in a few groups of similar length, so that one long text does not pad all others."""
        order = torch.from_numpy(tokens.lengths[rows]).argsort(stable=True)
        parts = [self.embed(model, tokens, rows[group]) for group in order.tensor_split(LENGTH_GROUPS) if len(group)]
        return torch.cat(parts)[order.argsort().to(self.device)]

    def embed_tokens(self, model: nn.Module, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return unit vectors (B, d) of padded token ids (B, T)."""
        with self._precision():
            states = model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return pooled_unit_vectors(states, attention_mask, self.pooling)

    def training_loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Sampled softmax (B,) against in-batch targets and fresh random items, all embedded with gradients.

        Items that occur twice count once; a sample's own history gives no negatives.
        """
        queries = self.embed_tokens(model, batch["input_ids"], batch["attention_mask"])
        drawn = torch.randint(self.n_items, (self.n_negatives,), generator=generator)
        pool = torch.cat([batch["target_id"].cpu(), drawn])
        candidates, columns = pool.unique(return_inverse=True)
        vectors = self.embed_by_length(model, self.item_tokens, candidates)
        blocked = in_history(candidates.to(self.device), batch["history"])
        target_columns = columns[: len(queries)].to(self.device)
        return sampled_softmax(queries @ vectors.T / self.temperature, target_columns, blocked)

    def sample_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Softmax (B,) of the target, embedded with gradients, against fixed negatives without; couples no samples."""
        queries = self.embed_tokens(model, batch["input_ids"], batch["attention_mask"])
        targets = self.embed(model, self.item_tokens, batch["target_id"].cpu())
        own = (queries * targets).sum(1, keepdim=True)
        logits = torch.cat([own, queries @ batch["negative_vectors"].T], dim=1) / self.temperature
        negatives = batch["negative_ids"]
        blocked = in_history(negatives, batch["history"]) | (negatives == batch["target_id"].unsqueeze(1))
        blocked = torch.cat([torch.zeros_like(blocked[:, :1]), blocked], dim=1)
        return sampled_softmax(logits, torch.zeros(len(own), dtype=torch.int64, device=own.device), blocked)

    def rank(self, prompts: pa.Table, k: int, seen: pa.ListArray | None = None) -> tuple[Tensor, Tensor]:
        """The k best items of every prompt: ids (N, k) int64, best first, and cosines (N, k) float32.

        Args:
            prompts: N prompts.
            k: Length of every list.
            seen: Per prompt the items that must not appear.
        """
        return top_items(self.prompt_vectors(prompts), self.item_vectors(), k, seen=seen)

    def prompt_vectors(self, prompts: pa.Table) -> Tensor:
        """Unit vectors (N, d) of the prompts, in their order, dropout off."""
        return self.encode(self.rows(prompts).tokens, description="Embedding prompts")

    def item_vectors(self) -> Tensor:
        """Unit vectors (M, d) of the whole catalogue; row = item id."""
        return self.encode(self.item_tokens, description="Embedding items")

    def encode(self, tokens: RaggedIntegers, *, description: str, batch_size: int = ENCODING_BATCH) -> Tensor:
        """Embed every token list without gradients, longest first, and return (N, d) vectors in the given order."""
        order = torch.from_numpy(np.argsort(-tokens.lengths, kind="stable"))
        blocks = in_shrinking_batches(lambda rows: self.embed(self.model, tokens, order[rows]), len(order), batch_size)
        total = -(-len(order) // batch_size)
        with evaluating(self.model), torch.no_grad():
            parts = [vectors for _, vectors in progress_bar(blocks, description=description, total=total)]
        width = self.model.config.hidden_size
        embedded = torch.cat(parts) if parts else torch.empty(0, width, device=self.device)
        return torch.empty_like(embedded).index_copy_(0, order.to(embedded.device), embedded)

    def save(self, folder: Path) -> None:
        """Write the adapter as peft does, and ``recommender.json`` with what it takes to rank with it.

        Raises:
            ValueError: If the model bears no adapter.
        """
        save_adapter(self._adapted(), folder, base_name=self.base_name)
        facts = {
            "name": self.name,
            "pooling": self.pooling,
            "temperature": self.temperature,
            "item_text": "text",
            "base_model": self.base_name,
        }
        (folder / "recommender.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def save_merged(self, folder: Path) -> None:
        """Write the base model with the adapter merged in, and its tokenizer, as an ordinary model folder."""
        merged_model(self._adapted()).save_pretrained(str(folder))
        self.tokenizer.save_pretrained(str(folder))

    def _adapted(self) -> PeftModel:
        if not isinstance(self.model, PeftModel):
            raise ValueError("the recommender bears no adapter to save: build it with adapter options")
        return self.model

    def _precision(self) -> AbstractContextManager[None]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype is torch.bfloat16)
