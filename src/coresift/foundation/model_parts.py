"""Load parts of a base model from its folder: tokenizer, body, a few facts.

Every loader takes the folder that the foundation stage wrote, which is either the model itself or a ``source.json``
that says where it lies, or any other folder as ``save_pretrained`` writes it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.utils import logging as transformers_logging

from coresift.foundation.limits import bounded_tokenizer
from coresift.foundation.model_checks import is_hub_id, model_folder_problem
from coresift.foundation.quantization import four_bit_loading
from coresift.storage import fingerprint


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Switch the bars of transformers off within the block; they are as before after it."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


_TEXT_AND_SAFE_WEIGHTS = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
_OTHER_FORMATS = ["*/*"]


def hub_snapshot(model: str, revision: str | None = None) -> Path:
    """Return the local folder of one revision of a model; its name is the commit.

    The cache is asked first, so that a revision fetched once needs no network. Only weights in safetensors and text
    files are fetched.

    Args:
        model: Hub id such as ``org/name``.
        revision: Commit, tag or branch; None is the main branch.

    Raises:
        ValueError: If it is neither in the cache nor to be had.
    """
    try:
        return _snapshot(model, revision, local_files_only=True)
    except LocalEntryNotFoundError:
        pass
    try:
        return _snapshot(model, revision, local_files_only=False)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ValueError(
            f"model '{model}' (revision {revision or 'main'}) could not be fetched from the Hugging Face Hub: "
            "check its name and the network, or give the path of a local copy"
        ) from error


def _snapshot(model: str, revision: str | None, *, local_files_only: bool) -> Path:
    folder = snapshot_download(
        model,
        revision=revision,
        allow_patterns=_TEXT_AND_SAFE_WEIGHTS,
        ignore_patterns=_OTHER_FORMATS,
        local_files_only=local_files_only,
    )
    return Path(folder)


logger = logging.getLogger(__name__)

SOURCE_FILE = "source.json"
"""Where the weights are (path or hub id, revision) and their fingerprint, for a model that was not trained here."""

SAFELY = {"use_safetensors": True, "local_files_only": True, "trust_remote_code": False}
"""How every model is loaded: no pickle, no download, no code of the model's folder."""


def base_model_location(folder: Path) -> str:
    """Return where the base model's weights lie: a hub id, or the path of a local folder."""
    source = _source(folder)
    return str(source["path"]) if source else str(folder)


def base_model_name(folder: Path) -> str:
    """Return the hub id of a base model, or the fingerprint of one that lies in a local folder."""
    location = base_model_location(folder)
    return fingerprint(Path(location)) if Path(location).is_dir() else location


def base_model_fingerprint(folder: Path) -> str:
    """Name the content of a base model: its folder, and the weights of a local one that the folder refers to.

    A hub id stands for itself, since the folder names its commit. Weights that were changed in place since the folder
    was made are another model, and the log says so.
    """
    source = _source(folder)
    if source is None or is_hub_id(source["path"]):
        return fingerprint(folder)
    content = fingerprint(model_folder(source["path"]))
    if content != source["fingerprint"]:
        logger.warning("The base model in '%s' has changed since the foundation pipeline ran.", source["path"])
    return fingerprint(folder, content)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a base model; where it has no token for padding, the one that ends a text pads.

    Its ``model_max_length`` is at most what the model's position table holds.

    Raises:
        ValueError: If the folder holds no model, or the tokenizer knows tokens that the model does not.
    """
    tokenizer = bounded_tokenizer(_local_folder(folder))
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_body(
    folder: Path, *, dtype: torch.dtype = torch.float32, four_bits_on: torch.device | None = None
) -> PreTrainedModel:
    """Load a base model without its head, in evaluation mode: what turns tokens into hidden states.

    Args:
        folder: Folder of the base model.
        dtype: Type of the weights.
        four_bits_on: Device on which the weights are kept in four bits, with products in ``dtype``; None: they are not.

    Raises:
        ValueError: If the folder holds no model with weights in safetensors, or four bits cannot be had.
    """
    extra = four_bit_loading(four_bits_on, dtype) if four_bits_on else {}
    # Layers that the weights lack, such as an unused pooler, are drawn; a fixed seed keeps saving repeatable.
    with torch.random.fork_rng(devices=[]), without_progress_bars():
        torch.manual_seed(0)
        model = AutoModel.from_pretrained(_local_folder(folder), dtype=dtype, **SAFELY, **extra)
    return model.eval()


def load_generator(
    folder: Path, *, dtype: torch.dtype = torch.float32, four_bits_on: torch.device | None = None
) -> PreTrainedModel:
    """Load a base model with the head that writes tokens, in evaluation mode.

    Args:
        folder: Folder of the base model.
        dtype: Type of the weights.
        four_bits_on: As for ``load_body``; the head keeps its precision.

    Raises:
        ValueError: If the folder holds no model with weights in safetensors, the model writes no text, or four bits
            cannot be had.
    """
    extra = four_bit_loading(four_bits_on, dtype) if four_bits_on else {}
    if not is_causal(folder):
        raise ValueError(
            "foundation.model: this recommender writes text, which an encoder cannot: give a decoder, or set "
            "recommender.name to dense"
        )
    with without_progress_bars():
        model, report = AutoModelForCausalLM.from_pretrained(
            _local_folder(folder), dtype=dtype, output_loading_info=True, **SAFELY, **extra
        )
    if report["missing_keys"]:
        raise ValueError(
            f"foundation.model: the weights lack {', '.join(sorted(report['missing_keys']))}, without which the model "
            "writes nothing sensible: save the model with its language-model head"
        )
    return model.eval()


def is_causal(folder: Path) -> bool:
    """Return whether a base model is a decoder, in which a token sees only those before it.

    Encoders are known by having a masked-language-model form, unless their configuration makes them decoders.

    Raises:
        ValueError: If the folder holds no model.
    """
    config = AutoConfig.from_pretrained(_local_folder(folder), local_files_only=True, trust_remote_code=False)
    if config.is_encoder_decoder or getattr(config, "use_bidirectional_attention", False):
        return False
    return bool(getattr(config, "is_decoder", False)) or config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def model_folder(model: str, revision: str | None = None) -> Path:
    """Return the local folder of a model that is given by path or hub id.

    Raises:
        ValueError: If it is no model that can be loaded safely.
    """
    folder = hub_snapshot(model, revision) if is_hub_id(model) else Path(model).expanduser().resolve()
    problem = model_folder_problem(folder)
    if problem:
        raise ValueError(f"model '{model}' {problem}")
    return folder


def _local_folder(folder: Path) -> Path:
    source = _source(folder)
    return model_folder(source["path"], source["revision"]) if source else model_folder(str(folder))


def _source(folder: Path) -> dict[str, str] | None:
    file = folder / SOURCE_FILE
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
