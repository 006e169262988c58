"""A model of peft whose LoRA is a bank of adapters mixed per user."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from peft.utils.save_and_load import load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from coresift.personalization.gate_networks import Gates
from coresift.personalization.mixture_layer import MixtureLinear
from coresift.personalization.mixture_options import RecLoraConfig
from coresift.personalization.state_binding import StateBinding

BANK = "default"
"""Name of peft's adapter that holds the bank."""
GATES_FILE, FACTS_FILE = "reclora_gates.safetensors", "reclora.json"
ONLY_OURS = "RECLORA: this mixture is no plain LoRA, load it with coresift.personalization.load_reclora"
"""Stands for the type of adapter where peft would otherwise load the bank as something that it is not."""


class RecLoraModel(PeftModel):
    """A base model with a personalized mixture of LoRAs (RecLoRA, arXiv 2408.03533); made by `attach_reclora`.

    Saving writes the bank as an ordinary LoRA of rank n_adapters * r with unchanged lora_alpha, and the gates and
    their shape beside it. Stock peft loads that folder as the mixture of equal shares where the two are the same
    (mix ``output`` without square root), and refuses it otherwise.

    Args:
        model: The base model, adapted in place.
        config: Shape of the mixture.
    """

    def __init__(self, model: PreTrainedModel, config: RecLoraConfig) -> None:
        super().__init__(model, _bank_config(config), BANK)
        self.reclora = config
        self.binding = StateBinding()
        self.mixture_layers = {name: layer for name, layer in self.named_modules() if isinstance(layer, MixtureLinear)}
        self.gates = Gates(config, len(self.mixture_layers)).to(_device_of(model))
        for position, layer in enumerate(self.mixture_layers.values()):
            layer.join(config, self.gates, self.binding, module=position, adapter=BANK)

    def save_pretrained(self, save_directory: str, **options: Any) -> None:  # noqa: ANN401 - as peft has it
        """Write the bank as peft does, the gates and their facts beside it."""
        super().save_pretrained(save_directory, **options)
        if not options.get("is_main_process", True):
            return
        folder = Path(save_directory)
        save_file({name: _plain(value) for name, value in self.gates.state_dict().items()}, folder / GATES_FILE)
        facts = {**asdict(self.reclora), "layers": list(self.mixture_layers)}
        (folder / FACTS_FILE).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        if not self.reclora.plain_lora_is_uniform:
            _rewrite(folder / "adapter_config.json", peft_type=ONLY_OURS)

    def load_adapter(self, model_id: str, adapter_name: str = BANK, **options: Any) -> Any:  # noqa: ANN401 - as peft
        """Take bank and gates from a folder, for instance a checkpoint of this model.

        Any other adapter name loads an ordinary adapter of peft beside the bank.
        """
        if adapter_name != BANK:
            return super().load_adapter(model_id, adapter_name, **options)
        device = str(next(self.gates.parameters()).device)
        self.gates.load_state_dict(load_file(Path(model_id) / GATES_FILE))
        return set_peft_model_state_dict(self, load_peft_weights(str(model_id), device=device), adapter_name=BANK)


def attach_reclora(base_model: PreTrainedModel, config: RecLoraConfig, *, random_state: int = 0) -> RecLoraModel:
    """Add a fresh personalized mixture of LoRAs to a model, whose own weights are frozen.

    Args:
        base_model: The model to adapt, in place; its layers may be quantized.
        config: Shape of the mixture.
        random_state: Seed of the matrices A and of the gates; B starts at zero, so that the adapted model begins as
            the base model.

    Raises:
        ValueError: If the model has none of the target layers.
    """
    with torch.random.fork_rng():
        torch.manual_seed(random_state)
        return RecLoraModel(base_model, config)


def load_reclora(base_model: PreTrainedModel, folder: Path, *, surrogate: str | None = None) -> RecLoraModel:
    """Put a saved mixture, bank and gates, on its base model.

    Args:
        base_model: The model that the mixture was trained on.
        folder: What `RecLoraModel.save_pretrained` wrote.
        surrogate: Fingerprint of the surrogate whose states will be bound; None skips the check.

    Raises:
        ValueError: If the folder holds no mixture, or its gates read the states of another surrogate.
    """
    config = saved_config(folder)
    check_surrogate(config, surrogate)
    model = attach_reclora(base_model, config)
    if list(model.mixture_layers) != saved_facts(folder)["layers"]:
        raise ValueError(f"the mixture in '{folder}' adapts other layers than this base model has: load its own")
    model.load_adapter(str(folder))
    return model


def check_surrogate(config: RecLoraConfig, surrogate: str | None) -> None:
    """Refuse states of a surrogate that the gates were not trained on.

    Raises:
        ValueError: If both fingerprints are known and differ.
    """
    if surrogate is not None and config.surrogate is not None and surrogate != config.surrogate:
        raise ValueError(
            f"the gates of this adapter read the states of surrogate {config.surrogate}, not of {surrogate}: run the "
            "finetuning pipeline again, or go back to the surrogate it was tuned with"
        )


def saved_config(folder: Path) -> RecLoraConfig:
    """Return the shape of a saved mixture.

    Raises:
        ValueError: If the folder holds none.
    """
    facts = saved_facts(folder)
    facts.pop("layers")
    return RecLoraConfig(**facts)


def saved_facts(folder: Path) -> dict[str, Any]:
    """Return what a folder says about its mixture: the fields of its configuration, and its layers by name.

    Raises:
        ValueError: If the folder holds no mixture.
    """
    file = Path(folder) / FACTS_FILE
    if not is_reclora(folder):
        raise ValueError(f"'{folder}' holds no personalised adapter: {FACTS_FILE} is missing")
    return json.loads(file.read_text(encoding="utf-8"))


def is_reclora(folder: Path) -> bool:
    """Whether a folder holds a personalized adapter."""
    return (Path(folder) / FACTS_FILE).is_file()


def _bank_config(config: RecLoraConfig) -> LoraConfig:
    bank = LoraConfig(
        r=config.rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=_listed(config.target_modules),
        modules_to_save=_listed(config.modules_to_save),
    )
    bank._register_custom_module({nn.Linear: MixtureLinear, Conv1D: MixtureLinear})
    return bank


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def _device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous()


def _rewrite(file: Path, **fields: str) -> None:
    content = json.loads(file.read_text(encoding="utf-8")) | fields
    file.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")
