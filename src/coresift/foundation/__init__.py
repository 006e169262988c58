"""The base model: a hub id, a local folder, or a small one trained on the catalogue's text; texts as vectors."""

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
from coresift.foundation.plain_tokens import shorten, tokenise, tokenise_whole
from coresift.foundation.quantisation import check_four_bits
from coresift.foundation.residual_quantiser import SemanticIdOptions
from coresift.foundation.semantic_ids import learn_semantic_ids
from coresift.foundation.small_llama import SmallModelOptions, check_small_model
from coresift.foundation.vectors import item_text_vectors, text_vectors

__all__ = [
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
    "tokenise",
    "tokenise_whole",
    "without_progress_bars",
]
