"""What a training step of a personalised mixture costs beside plain LoRA: every sample of a batch is another user's.

    python -m benchmarks.personalization.training_step           # batch 16, 128 tokens, the shape of the embedded base model
    python -m benchmarks.personalization.training_step --quick   # few rounds

Processor time of forward, backward and optimiser step, in turns; the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from coresift.personalization import RecLoraConfig, attach_reclora, bind_states
from coresift.recommenders import AdapterOptions
from coresift.recommenders.adapters import attach_adapter

R, N_ADAPTERS, ALPHA = 8, 4, 16
SHAPE = {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 6}


def sides() -> dict[str, nn.Module]:
    """Models of one shape: with plain LoRA, with LoRA of the whole bank's rank, and with every kind of mixture."""
    attach: dict[str, Callable[[nn.Module], nn.Module]] = {
        "lora": lambda body: attach_adapter(body, AdapterOptions(r=R, alpha=ALPHA, dropout=0.0), random_state=0),
        "lora_whole_rank": lambda body: attach_adapter(
            body, AdapterOptions(r=R * N_ADAPTERS, alpha=ALPHA * N_ADAPTERS, dropout=0.0), random_state=0
        ),
    }
    for mix in ("output", "weight"):
        for gate in ("shared_trunk", "per_module"):
            config = RecLoraConfig(n_adapters=N_ADAPTERS, r=R, lora_alpha=ALPHA, mix=mix, gate=gate)
            attach[f"reclora {mix} {gate}"] = lambda body, config=config: attach_reclora(body, config)
    return {name: make(LlamaModel(LlamaConfig(**SHAPE, vocab_size=4096))).train() for name, make in attach.items()}


def step_seconds(model: nn.Module, optimizer: torch.optim.Optimizer, tokens: Tensor, states: Tensor) -> float:
    """Processor time of one training step."""
    bound = bind_states(model, states) if hasattr(model, "reclora") else nullcontext()
    started = time.process_time()
    with bound:
        model(input_ids=tokens).last_hidden_state.square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
    return time.process_time() - started


def main() -> None:
    """Time all sides in turns, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--quick", action="store_true", help="few rounds")
    options = parser.parse_args()
    models = sides()
    tokens, states = torch.randint(4096, (16, 128)), torch.randn(16, 64)
    optimizers = {
        name: torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad])
        for name, model in models.items()
    }
    rounds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(6 if options.quick else 40):
        for name, model in models.items():
            rounds[name].append(step_seconds(model, optimizers[name], tokens, states))
    seconds = {name: float(np.median(measured[1:])) for name, measured in rounds.items()}
    for name, value in seconds.items():
        print(f"{name:28s} {1000 * value:8.1f} ms   {value / seconds['lora']:5.2f} x plain LoRA")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "personalization_step.json").write_text(json.dumps(seconds, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
