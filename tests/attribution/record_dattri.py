"""Record influence on the fixed problem as dattri computes it, which shares no code with the project.

    pip install dattri==0.3.0                # in an environment of its own, beside torch
    PYTHONPATH=tests/cases python tests/attribution/record_dattri.py

Solves for each layer with its conjugate gradients (`dattri.func.hessian.ihvp_at_x_cg`) and its dense inverse
(`ihvp_at_x_explicit`), and writes dattri_figures.json beside this file.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import torch
from dattri.func.hessian import ihvp_at_x_cg, ihvp_at_x_explicit
from influence_cases import cross_entropy, wave_problem
from torch.func import functional_call, jacrev

DAMPING = {"first": 0.4, "last": 0.05}


def figures(layer: str) -> dict[str, object]:
    network, train, target = wave_problem()
    weight = getattr(network, layer).weight

    def losses(flat: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        replaced = {f"{layer}.weight": flat.view_as(weight)}
        return cross_entropy(lambda inputs: functional_call(network, replaced, inputs), batch)

    def mean_loss(flat: torch.Tensor) -> torch.Tensor:
        return losses(flat, train).mean()

    flat = weight.detach().flatten()
    gradients = jacrev(losses)(flat, train)
    goal = jacrev(losses)(flat, target).mean(0)
    options = {"regularization": DAMPING[layer]}
    by_steps = ihvp_at_x_cg(mean_loss, flat, max_iter=len(flat) - 2, **options)(goal)[0]
    whole = ihvp_at_x_explicit(mean_loss, flat, **options)(goal)
    scores = {"cg": gradients @ by_steps, "dense": gradients @ whole}
    return {"damping": DAMPING[layer], **{name: values.tolist() for name, values in scores.items()}}


if __name__ == "__main__":
    recorded = {"dattri": version("dattri"), "layers": {layer: figures(layer) for layer in DAMPING}}
    Path(__file__).with_name("dattri_figures.json").write_text(json.dumps(recorded, indent=1) + "\n")
