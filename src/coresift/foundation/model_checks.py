"""Is this a model, and does it read prompts of the wanted length? Answered before its weights are loaded."""

from __future__ import annotations

import json
import re
from pathlib import Path

from transformers import CONFIG_MAPPING

from coresift.foundation.limits import bounded_tokenizer, check_length

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
)


def check_base_model(model: str, *, parameter: str = "foundation.model", max_tokens: int | None = None) -> None:
    """Raise unless ``model`` is a folder that holds a model with safe weights, or has the form of a hub id.

    A hub id is not looked up: whether it exists, and what it reads, shows when it is fetched.

    Args:
        model: Path of a folder as ``save_pretrained`` writes it, or a hub id such as ``org/name``.
        parameter: Name of the parameter, for the message.
        max_tokens: Tokens of the longest prompt with its response; None where no prompts are read.

    Raises:
        ValueError: If it is neither, its tokenizer knows tokens that the model does not, or it reads less than
            ``max_tokens``; one sentence with the problem and the remedy.
    """
    if is_hub_id(model):
        return
    folder = Path(model).expanduser()
    problem = model_folder_problem(folder)
    if problem:
        raise ValueError(f"{parameter}: '{model}' {problem}")
    if max_tokens is not None:
        check_length(max_tokens, bounded_tokenizer(folder))


def is_hub_id(model: str) -> bool:
    """Return whether ``model`` names a model of the Hugging Face Hub rather than a path on this machine."""
    path = Path(model).expanduser()
    return _HUB_ID.fullmatch(model) is not None and not path.exists() and not path.parent.exists()


def model_folder_problem(folder: Path) -> str | None:
    """Return what keeps ``folder`` from being a model that can be loaded safely, or None.

    Weights count only as safetensors, because unpickling a file may run code that it brings.
    """
    if not folder.exists():
        return "does not exist: give a folder with config.json and model.safetensors, or a hub id such as org/name"
    if not (folder / "config.json").is_file():
        return "is not a model: give a folder that holds config.json, model.safetensors and a tokenizer"
    if not any(folder.glob("*.safetensors")):
        return _missing_weights(folder)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        return "holds no tokenizer: save the model's tokenizer into the same folder"
    return _architecture_problem(folder / "config.json")


def _missing_weights(folder: Path) -> str:
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if pickles:
        return f"holds its weights only as a pickle ({pickles[0]}), which can run code: convert them to safetensors"
    return "holds no weights: model.safetensors is missing; save the model there again"


def _architecture_problem(config_file: Path) -> str | None:
    try:
        model_type = json.loads(config_file.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError):
        return "holds a config.json that is not a JSON object: save the model there again"
    if model_type not in CONFIG_MAPPING:
        return f"is of the unknown type {model_type!r}: use an architecture that transformers contains"
    return None
