"""What a training step of a personalized mixture costs beside plain LoRA: every sample of a batch is another user's.

    python -m benchmarks.personalization.training_step           # batch 16, 128 tokens
    python -m benchmarks.personalization.training_step --quick   # few rounds

On the shape of the embedded base model. Processor time of forward, backward and optimizer step, in turns; the median of
the rounds counts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from benchmarks.cells import Cells, Table, in_turns, options_of
from benchmarks.shapes import ALPHA, N_ADAPTERS, RANK, SMALL_LLAMA
from coresift.personalization import RecLoraConfig, attach_reclora, bind_states
from coresift.recommenders import AdapterOptions
from coresift.recommenders.adapters import attach_adapter


def sides() -> dict[str, nn.Module]:
    """Models of one shape: with plain LoRA, with LoRA of the whole bank's rank, and with every kind of mixture."""
    attach: dict[str, Callable[[nn.Module], nn.Module]] = {
        "lora": lambda body: attach_adapter(body, AdapterOptions(r=RANK, alpha=ALPHA, dropout=0.0), random_state=0),
        "lora_whole_rank": lambda body: attach_adapter(
            body, AdapterOptions(r=RANK * N_ADAPTERS, alpha=ALPHA * N_ADAPTERS, dropout=0.0), random_state=0
        ),
    }
    for mix in ("output", "weight"):
        for gate in ("shared_trunk", "per_module"):
            config = RecLoraConfig(n_adapters=N_ADAPTERS, r=RANK, lora_alpha=ALPHA, mix=mix, gate=gate)
            attach[f"reclora {mix} {gate}"] = lambda body, config=config: attach_reclora(body, config)
    return {name: make(LlamaModel(LlamaConfig(**SMALL_LLAMA))).train() for name, make in attach.items()}


def step(model: nn.Module, optimizer: torch.optim.Optimizer, tokens: Tensor, states: Tensor) -> None:
    """One training step."""
    with bind_states(model, states) if hasattr(model, "reclora") else nullcontext():
        model(input_ids=tokens).last_hidden_state.square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def main() -> None:
    """Time all sides in turns, print the table and save it."""
    parser = options_of(__doc__, results="personalization_step", quick="few rounds")
    options = parser.parse_args()
    models = sides()
    tokens, states = torch.randint(SMALL_LLAMA["vocab_size"], (16, 128)), torch.randn(16, 64)
    optimizers = {
        name: torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad])
        for name, model in models.items()
    }
    ways = {name: partial(step, model, optimizers[name], tokens, states) for name, model in models.items()}
    seconds = in_turns(ways, 5 if options.quick else 39)
    table = Table(side=28, milliseconds=12, x_plain_LoRA=12)
    for name, value in seconds.items():
        table.row(name, f"{1000 * value:.1f}", f"{value / seconds['lora']:.2f}")
    Cells(options.out, quick=options.quick).save_table(seconds)


if __name__ == "__main__":
    main()
