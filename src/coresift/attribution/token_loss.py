"""The loss of a language model on every sample of a batch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

NOT_SCORED = -100


def mean_token_loss(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Mean cross-entropy (B,) of every sample's scored tokens, independent of padding and of the other samples.

    Args:
        model: A causal language model (labels are shifted by one) or an encoder-decoder (they are not).
        batch: ``input_ids``, ``attention_mask`` and ``labels`` (B, T); -100 marks a token that is not scored.

    Raises:
        ValueError: If the batch has no labels, or the model no head that generates tokens.
    """
    if "labels" not in batch:
        raise ValueError("the batch has no 'labels': add them (-100 = not scored), or pass a loss")
    if not getattr(model, "can_generate", bool)():
        raise ValueError(f"{type(model).__name__} has no head that generates tokens: pass a loss(model, batch) -> (B,)")
    encoder_decoder = bool(getattr(model.config, "is_encoder_decoder", False))
    inputs = {name: tensor for name, tensor in batch.items() if encoder_decoder or name != "labels"}
    logits, labels = model(**inputs).logits, batch["labels"]
    if not encoder_decoder:
        logits, labels = logits[:, :-1], labels[:, 1:]
    losses = functional.cross_entropy(logits.float().transpose(1, 2), labels, ignore_index=NOT_SCORED, reduction="none")
    return losses.sum(1) / (labels != NOT_SCORED).sum(1).clamp(min=1)
