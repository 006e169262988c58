"""LoRA adapters of peft: attach, load, save, merge."""

from __future__ import annotations

import copy
import json
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as PEFT_TARGETS
from torch import nn
from transformers import PreTrainedModel

from coresift.personalization import RecLoraConfig, attach_reclora, is_reclora, load_reclora
from coresift.recommenders.answers import ANSWER_HEAD, has_answer_head
from coresift.recommenders.options import AdapterOptions
from coresift.storage import fingerprint

QUERY_AND_VALUE = (("q_proj", "v_proj"), ("query", "value"), ("q", "v"), ("q_lin", "v_lin"), ("Wqkv",), ("c_attn",))
"""What attention's query and value projections are called in the architectures of transformers."""


def attach_adapter(
    body: PreTrainedModel,
    options: AdapterOptions,
    *,
    random_state: int,
    task_type: TaskType = TaskType.FEATURE_EXTRACTION,
) -> PeftModel:
    """Add a fresh LoRA adapter, or a personalized mixture of them, to a model whose own weights are frozen.

    An answer head is trained whole.

    Args:
        body: The model to adapt, in place.
        options: Rank, scale, dropout and targets.
        task_type: What peft shall call the model's task.
        random_state: Seed of the A matrices; B starts at zero, so that the adapted model begins as the base model.

    Raises:
        ValueError: If no Linear layer bears a target's name.
    """
    if options.mixture is not None:
        with _without_peft_warnings():
            return attach_reclora(body, _mixture(body, options, options.mixture), random_state=random_state)
    config = LoraConfig(
        r=options.r,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=adapter_targets(body, options.targets),
        use_rslora=options.use_rslora,
        use_dora=options.use_dora,
        task_type=task_type,
        modules_to_save=_trained_whole(body),
    )
    with torch.random.fork_rng(), _without_peft_warnings():
        torch.manual_seed(random_state)
        return get_peft_model(body, config)


def _mixture(body: PreTrainedModel, options: AdapterOptions, mixture: RecLoraConfig) -> RecLoraConfig:
    if options.use_rslora or options.use_dora:
        raise ValueError(
            "adapter.use_rslora and adapter.use_dora do not go with personalization.enabled: a bank scaled or "
            "decomposed so is no sum of its adapters; set them to false"
        )
    return replace(
        mixture,
        r=options.r,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=adapter_targets(body, options.targets),
        modules_to_save=_trained_whole(body),
    )


def _trained_whole(body: PreTrainedModel) -> list[str] | None:
    return [ANSWER_HEAD] if has_answer_head(body) else None


def adapter_targets(body: nn.Module, wanted: Sequence[str] | None = None) -> list[str]:
    """Return the sorted names of the layers to adapt.

    Args:
        body: The model.
        wanted: Names, or None for those peft knows for the architecture, else its query and value projections.

    Raises:
        ValueError: If the model has no layer of these names; the message lists the names it has.
    """
    present = {name.rsplit(".", 1)[-1] for name, module in body.named_modules() if _adaptable(module)} - {ANSWER_HEAD}
    known = PEFT_TARGETS.get(getattr(body.config, "model_type", ""), ())
    candidates = [tuple(known), *QUERY_AND_VALUE] if wanted is None else [tuple(wanted)]
    chosen = next((names for names in candidates if names and set(names) <= present), None)
    if chosen is None:
        lacking = "no known query and value layers" if wanted is None else f"no layers named {', '.join(wanted)}"
        raise ValueError(f"adapter.targets: the base model has {lacking}; choose from {', '.join(sorted(present))}")
    return sorted(chosen)


def _adaptable(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def load_adapter(body: PreTrainedModel, folder: Path) -> PeftModel:
    """Put a saved adapter on its base model, trainable.

    Raises:
        ValueError: If the folder holds no safetensors adapter.
    """
    if not (folder / "adapter_model.safetensors").is_file():
        raise ValueError(f"'{folder}' is not an adapter folder: it holds no adapter_model.safetensors")
    with _without_peft_warnings():
        if is_reclora(folder):
            return load_reclora(body, folder)
        return PeftModel.from_pretrained(body, str(folder), is_trainable=True)


def save_adapter(model: PeftModel, folder: Path, *, base_name: str) -> None:
    """Write an adapter as peft does, but equal to the byte for equal weights on every machine.

    Args:
        model: The adapted model.
        folder: Existing folder to fill.
        base_name: What ``base_model_name_or_path`` shall say: a hub id or a fingerprint, never a local path.
    """
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    config_file = folder / "adapter_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["target_modules"] = sorted(config["target_modules"])
    config["base_model_name_or_path"] = base_name
    config_file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def merged_model(model: PeftModel) -> PreTrainedModel:
    """Return a copy of the base model with the adapter's update added to its weights.

    A weight that an adapted layer shares with another one, as a head does with the embedding, is set apart first, so
    that the update reaches that layer alone; the copy's configuration then says that they are no longer tied.

    Raises:
        ValueError: If the architecture cannot keep such a weight apart when it is saved.
    """
    copied = copy.deepcopy(model)
    _set_apart(copied.get_base_model())
    with _without_peft_warnings():
        merged = copied.merge_and_unload()
    head, embedding = merged.get_output_embeddings(), merged.get_input_embeddings()
    if head is not None and head.weight is not embedding.weight:
        _say_untied(merged)
    return merged


def _set_apart(body: nn.Module) -> None:
    """Give every adapted layer whose weight another module has as well a weight of its own."""
    owners = Counter(id(value) for module in body.modules() for value in module._parameters.values())
    for layer in [module for module in body.modules() if isinstance(module, BaseTunerLayer)]:
        base = layer.get_base_layer()
        for name, value in base._parameters.items():
            if value is not None and owners[id(value)] > 1:
                setattr(base, name, nn.Parameter(value.detach().clone(), requires_grad=value.requires_grad))


def _say_untied(model: PreTrainedModel) -> None:
    """Make a model whose head has a weight of its own save and load it as such."""
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = False
    if type(model.config).from_dict(model.config.to_dict()).tie_word_embeddings:
        raise ValueError(
            f"finetuning.merge: the head of a {model.config.model_type} always shares the embedding's weight, so that "
            "its update cannot be merged: set finetuning.merge to false, or take the head out of adapter.targets"
        )
    model.all_tied_weights_keys = {}


def inner_model(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """Return the model that peft wraps, or a bare model itself."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def weights_fingerprint(model: PreTrainedModel | PeftModel) -> str:
    """Return what changes with the weights: an adapter's by content, since fused optimizers leave no other trace."""
    trained = {}
    if isinstance(model, PeftModel):
        trained = {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}
    return fingerprint(sum(parameter._version for parameter in model.parameters()), trained)


def without_adapter(model: PreTrainedModel | PeftModel) -> AbstractContextManager[None]:
    """Switch an adapter off for the length of a block; a bare model stays as it is."""
    return model.disable_adapter() if isinstance(model, PeftModel) else nullcontext()


@contextmanager
def _without_peft_warnings() -> Iterator[None]:
    """Silence peft's use of an attribute that transformers has renamed, and its notices of weights set apart here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*is_gradient_checkpointing")
        warnings.filterwarnings("ignore", message="Input and output embeddings are no longer tied")
        warnings.filterwarnings("ignore", message="Model (has|with) `tie_word_embeddings=True`")
        yield
