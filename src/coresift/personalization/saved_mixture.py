"""A saved mixture without its base model: all that exports for serving need."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from coresift.personalization.gate_networks import Gates
from coresift.personalization.mixture_options import RecLoraConfig
from coresift.personalization.reclora_model import GATES_FILE, saved_config, saved_facts
from coresift.storage import fingerprint

USERS_AT_ONCE = 4096
DOWN, UP = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class SavedMixture:
    """The folder of a personalized adapter.

    Attributes:
        folder: What the finetuning pipeline, or `RecLoraModel.save_pretrained`, wrote.

    Raises:
        ValueError: Where it is read, if the folder holds no personalized adapter.
    """

    folder: Path

    @cached_property
    def config(self) -> RecLoraConfig:
        """Shape of the mixture."""
        return saved_config(self.folder)

    @cached_property
    def layers(self) -> list[str]:
        """Names of the adapted layers; the gates count them in this order."""
        return saved_facts(self.folder)["layers"]

    @cached_property
    def gates(self) -> Gates:
        """The gates, with dropout off."""
        gates = Gates(self.config, len(self.layers))
        gates.load_state_dict(load_file(self.folder / GATES_FILE))
        return gates.eval()

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Bank and modules trained whole, by peft's names."""
        return load_file(self.folder / "adapter_model.safetensors")

    @cached_property
    def peft_config(self) -> dict[str, Any]:
        """What peft's configuration file says."""
        return json.loads((self.folder / "adapter_config.json").read_text(encoding="utf-8"))

    @cached_property
    def fingerprint(self) -> str:
        """Name of the content: bank and gates."""
        return fingerprint(self.folder / "adapter_model.safetensors", self.folder / GATES_FILE)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (n_gates, n_adapters) of one user's shares."""
        return self.gates.n_gates, self.gates.n_adapters

    @torch.no_grad()
    def shares(self, states: Tensor) -> Tensor:
        """Return the shares (U, n_gates, n_adapters) of users with these states (U, d); a row of NaN has none."""
        blocks = states.split(USERS_AT_ONCE)
        parts = [self.gates.all_shares(block)[:, : self.gates.n_gates] for block in blocks]
        return torch.cat(parts) if parts else torch.empty(0, *self.shape)
