"""The matrices whose gradients are measured, by the names the papers use."""

from __future__ import annotations

from peft.tuners.lora import LoraLayer
from torch import nn

from coresift.attribution.shared_weights import distinct_weights, place_in_memory

VALUE_PROJECTIONS = ("v_proj", "value", "v", "v_lin")
CROSS_ATTENTIONS = ("EncDecAttention", "crossattention", "encoder_attn")
ADAPTER_PARTS = ("lora_A", "lora_B")
LORA_SELECTIONS = ("lora", "last_lora_b")
SELECTIONS = (*LORA_SELECTIONS, "linear")


def chosen_linears(model: nn.Module, parameters: str) -> dict[str, nn.Linear]:
    """Return the Linear layers whose weights are meant, by name, in the model's order.

    Of several layers that hold one weight the first stands for it.

    Args:
        model: Any model; a peft model with a LoRA adapter for the LoRA matrices.
        parameters: ``lora`` or ``last_lora_b``, see :func:`lora_linears`, or ``linear`` for every Linear layer of the
            model itself; layers that share their weight with an embedding are left out.

    Raises:
        ValueError: If the choice is unknown, or the model has no such matrix.
    """
    if parameters not in SELECTIONS:
        raise ValueError(f"parameters is '{parameters}': use one of {', '.join(SELECTIONS)}")
    return _own_linears(model) if parameters == "linear" else lora_linears(model, parameters)


def lora_linears(model: nn.Module, parameters: str) -> dict[str, nn.Linear]:
    """Return the Linear layers that hold the chosen LoRA matrices, by name, in the model's order.

    Args:
        model: A peft model with a LoRA adapter.
        parameters: ``lora`` for all matrices, or ``last_lora_b`` for the value projection's B matrix of the last
            (decoder self-attention) layer, the single matrix that DEALRec (arXiv 2401.17197) and GORACS
            (arXiv 2506.04015) measure.

    Raises:
        ValueError: If the choice is unknown, or the model has no such matrix.
    """
    if parameters not in LORA_SELECTIONS:
        raise ValueError(f"parameters is '{parameters}': use one of {', '.join(LORA_SELECTIONS)}")
    matrices = _active_matrices(model)
    if not matrices:
        raise ValueError("the model bears no LoRA adapter: build it with adapter options, or wrap it with peft")
    return distinct_weights(matrices) if parameters == "lora" else _last_value_b(matrices)


def _own_linears(model: nn.Module) -> dict[str, nn.Linear]:
    embeddings = {place_in_memory(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    linears = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and not any(part in ADAPTER_PARTS for part in name.split("."))
        and place_in_memory(module.weight) not in embeddings
    }
    if not linears:
        raise ValueError("the model has no Linear layer of its own: choose other parameters")
    return distinct_weights(linears)


def _active_matrices(model: nn.Module) -> dict[str, nn.Linear]:
    matrices: dict[str, nn.Linear] = {}
    for name, layer in model.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        _check_measurable(layer)
        for adapter in layer.active_adapters:
            for kind, held in (("lora_A", layer.lora_A), ("lora_B", layer.lora_B)):
                matrix = held[adapter] if adapter in held else None
                if not isinstance(matrix, nn.Linear):
                    raise ValueError(f"the adapter on {name} has no Linear {kind}: adapt Linear layers only")
                matrices[f"{name}.{kind}.{adapter}"] = matrix
    return matrices


def _check_measurable(layer: LoraLayer) -> None:
    """Refuse adapters whose matrices are not each called once a sample.

    Raises:
        ValueError: If the adapter is DoRA, or a mixture of weights.
    """
    if any(layer.use_dora.get(adapter) for adapter in layer.active_adapters):
        raise ValueError(
            "gradients of DoRA are not measured: a plain LoRA (use_dora false) has the same ones at its start"
        )
    if getattr(getattr(layer, "mixture", None), "mix", "output") == "weight":
        raise ValueError("gradients of mix 'weight' are not measured: use mix 'output', or a plain LoRA")


def _last_value_b(matrices: dict[str, nn.Linear]) -> dict[str, nn.Linear]:
    candidates = [
        name
        for name in matrices
        if name.split(".")[-2] == "lora_B"
        and name.split(".")[-3] in VALUE_PROJECTIONS
        and not any(part in CROSS_ATTENTIONS for part in name.split("."))
    ]
    decoder = [name for name in candidates if "decoder" in name.split(".")] or candidates
    if not decoder:
        targets = sorted({name.split(".")[-3] for name in matrices})
        raise ValueError(
            f"no adapted value projection ({', '.join(VALUE_PROJECTIONS)}) among {', '.join(targets)}: "
            "adapt it, or measure all LoRA matrices with parameters='lora'"
        )
    return {decoder[-1]: matrices[decoder[-1]]}
