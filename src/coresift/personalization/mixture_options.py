"""What a personalised mixture of adapters looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coresift.personalization.sample_states import SampleStates

MIXES = ("output", "weight")
GATES = ("per_module", "shared_trunk", "shared")


@dataclass(frozen=True)
class RecLoraConfig:
    """A bank of small LoRAs in every adapted layer, mixed per user by a gate (RecLoRA, arXiv 2408.03533).

    Attributes:
        n_adapters: LoRAs of the bank, m.
        r: Rank of each.
        state_dim: Width of the user states that the gates read.
        mix: ``output`` adds up what the LoRAs put out, the formula of the paper; ``weight`` mixes their matrices A
            and B first, as the paper's code does, which keeps the rank at r.
        square_root: Mix by the square roots of the gate's shares, which sum to more than 1.
        lora_alpha: The update of each LoRA is scaled by lora_alpha / r.
        lora_dropout: Dropout on the bank's input while training.
        target_modules: Names of the layers to adapt; None takes those peft knows for the architecture, which are
            the query and value projections.
        modules_to_save: Names of modules that are trained whole and saved with the bank, as peft has it.
        gate: One network per adapted layer (``per_module``), one network with a head per layer (``shared_trunk``),
            or the same shares everywhere (``shared``).
        gate_hidden: Hidden units of a gate network; 0 makes it one Linear layer without bias, as in iLoRA
            (arXiv 2408.10159).
        gate_dropout: Dropout on the hidden units while training.
        temperature: Divides the gate's logits at the start.
        learn_temperature: Whether training may change the temperature.
        gate_rate: The gates learn this many times faster than the bank, see `split_gate_rate`.
        surrogate: Fingerprint of the surrogate whose states the gates are trained on; None where it is unknown.
    """

    n_adapters: int = 4
    r: int = 4
    state_dim: int = 64
    mix: Literal["output", "weight"] = "output"
    square_root: bool = False
    lora_alpha: float = 8
    lora_dropout: float = 0.0
    target_modules: Sequence[str] | None = None
    modules_to_save: Sequence[str] | None = None
    gate: Literal["per_module", "shared_trunk", "shared"] = "shared_trunk"
    gate_hidden: int = 64
    gate_dropout: float = 0.0
    temperature: float = 1.0
    learn_temperature: bool = True
    gate_rate: float = 5.0
    surrogate: str | None = None

    def __post_init__(self) -> None:
        if self.mix not in MIXES:
            raise ValueError(f"personalization.mix is '{self.mix}': use one of {', '.join(MIXES)}")
        if self.gate not in GATES:
            raise ValueError(f"personalization.gate is '{self.gate}': use one of {', '.join(GATES)}")
        for name in ("n_adapters", "r", "state_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"personalization.{name} is {getattr(self, name)}: use 1 or more")
        for name in ("temperature", "gate_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"personalization.{name} is {getattr(self, name)}: use a positive number")

    @classmethod
    def for_states(cls, states: SampleStates, **options: Any) -> RecLoraConfig:  # noqa: ANN401 - fields of this class
        """Return a configuration whose gates read these states."""
        return cls(state_dim=states.state_dim, surrogate=states.surrogate, **options)

    @property
    def rank(self) -> int:
        """Rank of the whole bank, n_adapters * r."""
        return self.n_adapters * self.r

    @property
    def plain_lora_is_uniform(self) -> bool:
        """Whether the bank read as one ordinary LoRA is the mixture of equal shares."""
        return self.mix == "output" and not self.square_root
