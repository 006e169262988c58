"""The loss of a language model on every sample of a batch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

NOT_SCORED = -100


def mean_token_loss(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Mean cross-entropy (B,) of every sample's scored tokens, independent of padding and of the other samples.

    Causal models compute logits only where some sample has a scored token, if their head allows it, and count
    positions from a sample's first token, on whichever side it is padded.

    Args:
        model: A causal language model (labels are shifted by one) or an encoder-decoder (they are not).
        batch: ``input_ids``, ``attention_mask`` and ``labels`` (B, T); -100 marks a token that is not scored.

    Raises:
        ValueError: If the batch has no labels, or the model no head that generates tokens.
    """
    if not isinstance(batch, Mapping) or "labels" not in batch:
        raise ValueError("the batch has no 'labels': add them (-100 = not scored), or pass a loss")
    if not getattr(model, "can_generate", bool)():
        raise ValueError(f"{type(model).__name__} has no head that generates tokens: pass a loss(model, batch) -> (B,)")
    if getattr(model.config, "is_encoder_decoder", False):
        return mean_of_scored(model(**batch).logits, batch["labels"])
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    following = functional.pad(batch["labels"][:, 1:], (0, 1), value=NOT_SCORED)
    accepted = _accepted_inputs(model)
    if "position_ids" in accepted and _padded_on_the_left(inputs):
        inputs.setdefault("position_ids", (inputs["attention_mask"].cumsum(1) - 1).clamp(min=0))
    if "logits_to_keep" in accepted:
        columns = (following != NOT_SCORED).any(0).nonzero().squeeze(1)
        inputs["logits_to_keep"], following = columns, following[:, columns]
    return mean_of_scored(model(**inputs).logits, following)


def mean_of_scored(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy (B,) over the positions with a label; 0 for a sample without one.

    Args:
        logits: (B, T, V).
        labels: (B, T), -100 where nothing is scored.
    """
    scored = labels != NOT_SCORED
    losses = functional.cross_entropy(logits[scored].float(), labels[scored], reduction="none")
    spread = losses.new_zeros(scored.shape).masked_scatter(scored, losses)
    return spread.sum(1) / scored.sum(1).clamp(min=1)


def _padded_on_the_left(inputs: dict[str, Tensor]) -> bool:
    mask = inputs.get("attention_mask")
    return mask is not None and not bool(mask[:, 0].all())


def _accepted_inputs(model: nn.Module) -> frozenset[str]:
    """Names of the inputs of the model, or of the model that a peft adapter wraps."""
    inner = getattr(model, "get_base_model", lambda: model)()
    return frozenset(inspect.signature(inner.forward).parameters)
