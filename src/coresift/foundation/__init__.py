"""The base model: a hub id, a local folder, or a small one trained on the catalogue's text; texts as vectors."""

from coresift.foundation.building import build_base_model
from coresift.foundation.checking import check_base_model
from coresift.foundation.loading import base_model_location, is_causal, load_body, load_tokenizer
from coresift.foundation.small_llama import SmallModelOptions
from coresift.foundation.vectors import item_text_vectors, text_vectors

__all__ = [
    "SmallModelOptions",
    "base_model_location",
    "build_base_model",
    "check_base_model",
    "is_causal",
    "item_text_vectors",
    "load_body",
    "load_tokenizer",
    "text_vectors",
]
