"""What a personalized mixture of adapters looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt
from typing_extensions import Doc

from coresift.options import check_options

if TYPE_CHECKING:
    from coresift.personalization.sample_states import SampleStates

SET_ELSEWHERE = frozenset(
    {"r", "state_dim", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save", "surrogate"}
)
"""Options that follow from the adapter, the base model or the surrogate."""


@dataclass(frozen=True)
class RecLoraConfig:
    """A bank of small LoRAs in every adapted layer, mixed per user by a gate (RecLoRA, arXiv 2408.03533).

    Raises:
        ValueError: If a value is out of bounds.
    """

    n_adapters: Annotated[int, Ge(1), Doc("LoRAs of the bank.")] = 4
    r: Annotated[int, Ge(1), Doc("Rank of each.")] = 4
    state_dim: Annotated[int, Ge(1), Doc("Width of the user states that the gates read.")] = 64
    mix: Annotated[
        Literal["output", "weight"],
        Doc(
            "Add up what the LoRAs put out, the formula of the paper; or mix their matrices A and B first, as the "
            "paper's code does, which keeps the rank at r."
        ),
    ] = "output"
    square_root: Annotated[bool, Doc("Mix by the square roots of the gate's shares, which sum to more than 1.")] = False
    lora_alpha: Annotated[float, Doc("The update of each LoRA is scaled by lora_alpha / r.")] = 8
    lora_dropout: Annotated[float, Ge(0), Lt(1), Doc("Dropout on the bank's input while training.")] = 0.0
    target_modules: Annotated[
        Sequence[str] | None,
        Doc("Names of the layers to adapt; None takes those peft knows for the architecture: query and value."),
    ] = None
    modules_to_save: Annotated[
        Sequence[str] | None, Doc("Names of modules that are trained whole and saved with the bank, as peft has it.")
    ] = None
    gate: Annotated[
        Literal["per_module", "shared_trunk", "shared"],
        Doc("Networks per adapted layer, one network with a head per layer, or the same shares everywhere."),
    ] = "shared_trunk"
    gate_hidden: Annotated[
        int,
        Ge(0),
        Doc("Hidden units of a gate network; 0: one Linear layer without bias, as in iLoRA (arXiv 2408.10159)."),
    ] = 64
    gate_dropout: Annotated[float, Ge(0), Lt(1), Doc("Dropout on the hidden units while training.")] = 0.0
    temperature: Annotated[float, Gt(0), Doc("Divides the gate's logits at the start.")] = 1.0
    learn_temperature: Annotated[bool, Doc("Whether training may change the temperature.")] = True
    gate_rate: Annotated[float, Gt(0), Doc("The gates' learning rate, times that of the bank.")] = 5.0
    surrogate: Annotated[
        str | None, Doc("Fingerprint of the surrogate whose states the gates are trained on; None: unknown.")
    ] = None

    def __post_init__(self) -> None:
        check_options(type(self), vars(self), prefix="personalization.")

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
