"""The click recommender: a language model answers whether the user will like an item (TALLRec, arXiv 2305.00447).

A decoder answers with one of two tokens; the probability is the softmax of their two logits alone. An encoder, which
writes nothing, answers with a head of two rows on its pooled state.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import pyarrow as pa
import torch
from peft import PeftModel, TaskType
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from coresift.foundation import is_causal, load_generator
from coresift.recommenders.answers import ANSWER_HEAD, add_answer_head, answer_tokens, has_answer_head
from coresift.recommenders.batches import Batch, in_length_order, place_in_text
from coresift.recommenders.contract import Recommender, evaluating
from coresift.recommenders.inputs import LoadedModel, RecommenderInputs
from coresift.recommenders.pooling import pooled_states
from coresift.recommenders.yes_no.options import YesNoOptions
from coresift.recommenders.yes_no.rows import ClickRows

PREDICTION_BATCH = 128
"""Prompts answered at once where no gradient is needed."""


class YesNoRecommender(Recommender[YesNoOptions]):
    """Predict the probability of a click from the answer to a question about one item.

    Args:
        model: A causal language model with its head, or an encoder that bears an answer head; bare or with an adapter.
        tokenizer: Its tokenizer.
        base_name: Hub id or fingerprint of the base model.
        options: Those of the recommender; None takes the defaults.
        dtype: Precision of the model's products; logits and losses are float32.

    Raises:
        ValueError: If an answer is not one token of a decoder's tokenizer.
    """

    declared = YesNoOptions
    bound_options: ClassVar[tuple[str, ...]] = ("answers", "pooling")

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        base_name: str,
        options: YesNoOptions | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(model, tokenizer, base_name=base_name, options=options or YesNoOptions(), dtype=dtype)
        self.writes = not has_answer_head(model)
        self.answer_ids = list(answer_tokens(tokenizer, self.options.answers)) if self.writes else []

    @classmethod
    def load_base(cls, inputs: RecommenderInputs[YesNoOptions]) -> PreTrainedModel:
        """Load a decoder with its head, or an encoder, to which an answer head is added."""
        if is_causal(inputs.base_model):
            return load_generator(inputs.base_model, dtype=inputs.precision, four_bits_on=inputs.four_bits_on)
        return add_answer_head(super().load_base(inputs), random_state=inputs.random_state)

    @classmethod
    def task_of(cls, base: PreTrainedModel) -> TaskType:
        """Return what peft shall call the model's task."""
        return TaskType.FEATURE_EXTRACTION if has_answer_head(base) else TaskType.CAUSAL_LM

    @classmethod
    def from_inputs(cls, inputs: RecommenderInputs[YesNoOptions], loaded: LoadedModel) -> Self:
        """Build the recommender around the model that was loaded for it."""
        return cls(
            loaded.model,
            loaded.tokenizer,
            base_name=loaded.base_name,
            options=inputs.options,
            dtype=inputs.precision,
        )

    def rows(self, prompts: pa.Table, *, weights: Tensor | None = None) -> ClickRows:
        """Questions and labels, ready for a data loader."""
        return ClickRows(prompts, self.options.answers, padding=self.padding, weights=weights, left=self.writes)

    def answer_logits(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return float32 logits (B, 2) of the positive and the negative answer."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        with self._precision(), self.bind_samples(batch["sample_id"]):
            if self.writes:
                places = place_in_text(batch["attention_mask"])
                logits = model(**inputs, position_ids=places, logits_to_keep=1, use_cache=False).logits
                return logits[:, -1, self.answer_ids].float()
            states = model(**inputs).last_hidden_state
        return getattr(model, ANSWER_HEAD)(pooled_states(states, batch["attention_mask"], self.options.pooling))

    def sample_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy (B,) of the right answer against the other one, in nats; couples no samples."""
        logits = self.answer_logits(model, batch)
        margin = logits[:, 0] - logits[:, 1]
        return functional.binary_cross_entropy_with_logits(margin, batch["label"], reduction="none")

    def click_probabilities(self, prompts: pa.Table) -> Tensor:
        """Return the probability (N,) float32 of the positive answer to every prompt, in their order, dropout off."""
        rows = self.rows(prompts)
        probabilities = torch.empty(len(rows))

        def answer(places: Tensor) -> Tensor:
            batch = {name: tensor.to(self.device) for name, tensor in rows.__getitems__(places.tolist()).items()}
            return self.answer_logits(self.model, batch).softmax(1)[:, 0].cpu()

        with evaluating(self.model):
            for places, part in in_length_order(rows.lengths, PREDICTION_BATCH, answer, description="Answering"):
                probabilities[places] = part
        return probabilities

    def facts(self) -> dict[str, object]:
        """Options that an adapter is trained for."""
        return {"answers": list(self.options.answers), "pooling": self.options.pooling}

    def save_merged(self, folder: Path) -> None:
        """Write the base model with the adapter merged in, and its tokenizer, as an ordinary model folder.

        Raises:
            ValueError: If the model is an encoder, whose answer head has no place in such a folder.
        """
        if not self.writes:
            raise ValueError(
                "finetuning.merge: an encoder's answer head has no place in an ordinary model folder: set it to false"
            )
        super().save_merged(folder)
