"""Influence of every training sample on a target loss (Koh and Liang, 2017), as DEALRec scores samples with it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor, nn

from coresift.attribution.curvature import SOLVERS, Curvature
from coresift.attribution.linear_gradients import Batches, HeldCalls, LinearProblem, mean_gradient, sample_products
from coresift.attribution.loss_batches import RepeatableBatches, SampleLoss
from coresift.attribution.options import InfluenceOptions
from coresift.storage import TRAIN, VALID
from coresift.surrogate import Surrogate, influence_batches, sample_losses

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InfluenceResult:
    """Influence of every training sample.

    Attributes:
        scores: (N,) float32, in the order of the batches; higher = training on the sample lowers the target loss more.
        residual: Relative residual ||(C + damping I) x - v|| / ||v|| of the linear system.
        damping: The ridge that was added to C.
    """

    scores: Tensor
    residual: float
    damping: float


def influence_scores(
    model: nn.Module,
    module_name: str,
    batches: Batches,
    target_batches: Batches,
    loss: SampleLoss,
    curvature: str = InfluenceOptions.curvature,
    damping: float | None = InfluenceOptions.damping,
    solver: str = InfluenceOptions.solver,
) -> InfluenceResult:
    """Score every sample by target_gradient . (C + damping I)^-1 . gradient, over one Linear layer's weight.

    The curvature is symmetric, so that one linear system serves all samples: x = (C + damping I)^-1 target_gradient,
    and a sample's score is its gradient's inner product with x, taken in one batched backward pass (arXiv 2401.17197,
    equations 9-11, without the constant 1/n^2).

    Args:
        model: Any torch module.
        module_name: Name of the Linear layer.
        batches: Batches of the training samples, of any kind that the loss reads: dictionaries, tuples as data loaders
            give them, tensors, dataclasses. They are read several times, so not a generator; tensors are moved to the
            model's device.
        target_batches: The same of the samples whose mean loss is the target.
        loss: Maps model and batch to uncoupled, unreduced losses (B,).
        curvature: ``fisher`` or ``hessian`` of the mean training loss.
        damping: Absolute ridge; default .1 times the mean diagonal of C.
        solver: ``cg``, ``dense`` or ``lissa``, all on the same matrix.

    Raises:
        ValueError: If the layer, curvature or solver is unknown, batches can be read only once, the matrix is not
            positive definite, or the weight is also read outside of Linear layers.
    """
    if solver not in SOLVERS:
        raise ValueError(f"solver is '{solver}': use one of {', '.join(SOLVERS)}")
    problem = LinearProblem(model, module_name, loss)
    gradients = HeldCalls(problem, RepeatableBatches(batches, "batches"))
    matrix = Curvature(gradients, kind=curvature, damping=damping)
    target = mean_gradient(problem.calls(RepeatableBatches(target_batches, "target_batches")), problem.n_parameters)
    solution = SOLVERS[solver](matrix, target)
    residual = float((matrix.damped_product(solution) - target).norm() / target.norm().clamp(min=1e-300))
    logger.info("Influence on %s: damping %.3g, relative residual %.1e.", module_name, matrix.damping, residual)
    scores = [sample_products(calls, solution).float().cpu() for calls in gradients]
    return InfluenceResult(torch.cat(scores) if scores else torch.empty(0), residual, matrix.damping)


def surrogate_influence(
    model: Surrogate, samples: pa.Table, users: pa.Table, options: InfluenceOptions
) -> dict[str, Tensor]:
    """Score every training sample by its influence on the surrogate's loss; see :func:`influence_scores`.

    Args:
        model: The surrogate.
        samples: Table ``samples``.
        users: Table ``users``.
        options: Layer, target, losses and solver.

    Returns:
        ``sample_id`` (N,) int64, ascending, and ``influence`` (N,) float32.
    """
    by_length = samples.take(pc.array_sort_indices(pc.list_value_length(samples["history"])))
    batches_of = partial(influence_batches, model, by_length, users, options.batch_size, scored=options.scored)
    batches = batches_of(TRAIN)
    result = influence_scores(
        model,
        options.module or model.influence_module,
        batches,
        batches if options.target == "train" else batches_of(VALID),
        sample_losses,
        curvature=options.curvature,
        damping=options.damping,
        solver=options.solver,
    )
    sample_id = torch.tensor(batches.samples["sample_id"].to_numpy(), dtype=torch.int64)
    order = sample_id.argsort()
    return {"sample_id": sample_id[order], "influence": result.scores[order]}
