"""The recommender on semantic ids: a small encoder-decoder reads codes and writes those of the next item (TIGER).

Rajput et al., arXiv 2305.05065. Items are sequences of codes learnt from their text; a beam search that can only write
codes of the catalogue finds the likeliest items. The model reads no text and is trained from scratch.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import pyarrow as pa
import torch
from peft import PeftModel, TaskType
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase, T5Config, T5ForConditionalGeneration

from coresift.attribution import mean_token_loss
from coresift.foundation import without_progress_bars
from coresift.ranking import Lists
from coresift.recommenders.adapters import attach_adapter, load_adapter, merged_model
from coresift.recommenders.batches import Batch, in_length_order
from coresift.recommenders.contract import Recommender, evaluating
from coresift.recommenders.inputs import LoadedModel, RecommenderInputs
from coresift.recommenders.options import AdapterOptions
from coresift.recommenders.semantic_id.options import CodeModelOptions
from coresift.recommenders.semantic_id.rows import END, PADDING, CodeRows, CodeVocabulary
from coresift.recommenders.writing.constrained_beams import best_sequences
from coresift.recommenders.writing.listed_items import items_of_leaves
from coresift.recommenders.writing.token_trie import TokenTrie
from coresift.storage import fingerprint

ROWS_PER_GENERATION = 2048
"""Beams of all prompts that are written at once."""


class SemanticIdRecommender(Recommender[CodeModelOptions]):
    """Rank items by the likelihood of their codes after those of the history.

    Args:
        model: The encoder-decoder, bare, with an adapter, or tuned as a whole.
        tokenizer: Of the base model, which is not read here.
        vocabulary: Codes of every item.
        base_name: Fingerprint of codes, shape and seed.
        options: Those of the recommender; None takes the defaults.
        dtype: Precision of the model's products; losses and scores stay float32.
    """

    declared = CodeModelOptions
    bound_options: ClassVar[tuple[str, ...]] = ("tuning", "history_length", "width", "n_layers", "n_heads", "dropout")

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        vocabulary: CodeVocabulary,
        *,
        base_name: str,
        options: CodeModelOptions | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(model, tokenizer, base_name=base_name, options=options or CodeModelOptions(), dtype=dtype)
        self.vocabulary = vocabulary

    @classmethod
    def name_base(cls, inputs: RecommenderInputs[CodeModelOptions]) -> str:
        """Return a fingerprint of all that the untrained model is made from."""
        return fingerprint(inputs.known_semantic_ids, inputs.options.shape, inputs.random_state)

    @classmethod
    def load_base(cls, inputs: RecommenderInputs[CodeModelOptions]) -> PreTrainedModel:
        """Make the encoder-decoder with random weights, a function of the seed; float32, as all of them are trained."""
        if inputs.four_bits_on:
            raise ValueError("dtype nf4 is for pretrained base models; semantic_id trains its own: set dtype to auto")
        size = CodeVocabulary(inputs.known_semantic_ids).size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(inputs.random_state)
            model = T5ForConditionalGeneration(_config(inputs.options, size))
        return model.eval()

    @classmethod
    def make_tunable(
        cls,
        base: PreTrainedModel,
        adapter: AdapterOptions,
        inputs: RecommenderInputs[CodeModelOptions],
        *,
        probe: bool,
    ) -> PreTrainedModel | PeftModel:
        """Let all weights move, or add an adapter, which a probe of gradients always reads."""
        if inputs.options.tuning == "full" and not probe:
            if adapter.mixture is not None:
                raise ValueError(
                    "personalization.enabled: semantic_id moves all weights and has no adapter to personalise; set "
                    "recommender.semantic_id.tuning to lora, or personalization.enabled to false"
                )
            return base.requires_grad_(True)
        return attach_adapter(base, adapter, random_state=inputs.random_state, task_type=TaskType.SEQ_2_SEQ_LM)

    @classmethod
    def load_tuned(cls, base: PreTrainedModel, folder: Path) -> PreTrainedModel | PeftModel:
        """Load an adapter, or all weights, whichever the folder holds."""
        if not (folder / "model.safetensors").is_file():
            return load_adapter(base, folder)
        with without_progress_bars():
            model = T5ForConditionalGeneration.from_pretrained(
                folder, dtype=base.dtype, use_safetensors=True, local_files_only=True
            )
        return model.eval()

    @classmethod
    def from_inputs(cls, inputs: RecommenderInputs[CodeModelOptions], loaded: LoadedModel) -> Self:
        """Build the recommender around the model that was loaded for it."""
        return cls(
            loaded.model,
            loaded.tokenizer,
            CodeVocabulary(inputs.known_semantic_ids),
            base_name=loaded.base_name,
            options=inputs.options,
            dtype=inputs.precision,
        )

    def rows(self, prompts: pa.Table, *, weights: Tensor | None = None) -> CodeRows:
        """Histories and targets as codes; ``prompts`` needs a ``history`` column."""
        return CodeRows(prompts, self.vocabulary, history_length=self.options.history_length, weights=weights)

    def sample_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross-entropy (B,) of the target's codes, in nats; couples no samples."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
        with self._precision(), self.bind_samples(batch["sample_id"]):
            return mean_token_loss(model, inputs)

    @cached_property
    def trie(self) -> TokenTrie:
        """The codes of all items."""
        return TokenTrie(self.vocabulary.tokens.tolist(), self.vocabulary.size).to(self.device)

    def rank(self, prompts: pa.Table, k: int, seen: Lists | None = None) -> tuple[Tensor, Tensor]:
        """Return the k likeliest items of every history: ids (N, k) int64, best first; log-likelihoods (N, k) float32.

        The search keeps k sequences at least; -1 and minus infinity stand behind a list of which some were seen.

        Args:
            prompts: N prompts with a ``history`` column.
            k: Length of every list.
            seen: Per prompt the items that must not appear.
        """
        rows = self.rows(prompts)
        beams = min(max(self.options.beams, k), len(self.vocabulary.tokens))
        leaves, scores = torch.full((len(rows), beams), -1), torch.full((len(rows), beams), -torch.inf)

        def write(places: Tensor) -> tuple[Tensor, Tensor]:
            batch = rows.__getitems__(places.tolist())
            inputs = {name: batch[name].to(self.device) for name in ("input_ids", "attention_mask")}
            with self._precision(), self.bind_samples(batch["sample_id"]):
                return best_sequences(self.model, inputs, self.trie, beams=beams, start=1, end=END, padding=PADDING)

        at_once = max(1, ROWS_PER_GENERATION // beams)
        with evaluating(self.model):
            for places, part in in_length_order(rows.lengths, at_once, write, description="Writing codes"):
                leaves[places], scores[places] = (tensor.cpu() for tensor in part)
        return items_of_leaves(leaves, scores, self.trie.leaf.cpu(), k, seen=seen)

    def facts(self) -> dict[str, object]:
        """Options that the weights are trained for."""
        return {"tuning": self.options.tuning, "history_length": self.options.history_length, **self.options.shape}

    def save(self, folder: Path) -> None:
        """Write the adapter, or all weights where they were trained, and ``recommender.json``."""
        if isinstance(self.model, PeftModel):
            super().save(folder)
        else:
            with without_progress_bars():
                self.model.save_pretrained(str(folder))
            self._save_facts(folder)

    def save_merged(self, folder: Path) -> None:
        """Write the whole model as an ordinary model folder; its tokens are codes, so that it needs no tokenizer."""
        model = merged_model(self.model) if isinstance(self.model, PeftModel) else self.model
        with without_progress_bars():
            model.save_pretrained(str(folder))


def _config(options: CodeModelOptions, vocabulary_size: int) -> T5Config:
    if options.width % options.n_heads:
        raise ValueError(
            f"recommender.semantic_id.width is {options.width}: use a multiple of n_heads, which is {options.n_heads}"
        )
    return T5Config(
        vocab_size=vocabulary_size,
        d_model=options.width,
        d_kv=options.width // options.n_heads,
        d_ff=4 * options.width,
        num_layers=options.n_layers,
        num_heads=options.n_heads,
        dropout_rate=options.dropout,
        pad_token_id=PADDING,
        eos_token_id=END,
        decoder_start_token_id=PADDING,
    )
