"""The base model: a hub id, a local folder, or a small one trained on the catalogue's text; texts as vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coresift.doors import opened_when_used

if TYPE_CHECKING:
    from coresift.foundation.base_model import build_base_model
    from coresift.foundation.limits import check_length
    from coresift.foundation.model_checks import check_base_model
    from coresift.foundation.model_parts import (
        base_model_fingerprint,
        base_model_location,
        base_model_name,
        is_causal,
        load_body,
        load_generator,
        load_tokenizer,
        without_progress_bars,
    )
    from coresift.foundation.options import FoundationOptions, SemanticIdOptions, SmallModelOptions
    from coresift.foundation.plain_tokens import shorten, tokenize, tokenize_whole
    from coresift.foundation.quantization import check_four_bits
    from coresift.foundation.semantic_ids import learn_semantic_ids
    from coresift.foundation.small_llama import check_small_model
    from coresift.foundation.vectors import item_text_vectors, text_vectors
else:
    __getattr__ = opened_when_used(__name__)

__all__ = [
    "FoundationOptions",
    "SemanticIdOptions",
    "SmallModelOptions",
    "base_model_fingerprint",
    "base_model_location",
    "base_model_name",
    "build_base_model",
    "check_base_model",
    "check_four_bits",
    "check_length",
    "check_small_model",
    "is_causal",
    "item_text_vectors",
    "learn_semantic_ids",
    "load_body",
    "load_generator",
    "load_tokenizer",
    "shorten",
    "text_vectors",
    "tokenize",
    "tokenize_whole",
    "without_progress_bars",
]
