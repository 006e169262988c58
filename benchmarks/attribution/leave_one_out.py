"""Influence on a small SASRec beside the truth: retraining without each sample.

    python -m benchmarks.attribution.leave_one_out           # 200 samples, 4 retrainings each: some minutes on one core
    python -m benchmarks.attribution.leave_one_out --quick   # 60 samples, 3 retrainings each

The effect of a sample is what its absence does to the mean loss of 300 target samples, retrained from the same start;
it is averaged over the starts. Two things bound what any score can reach. Retraining noise: the effects of half the
starts are correlated with those of the other half (stepped up by Spearman and Brown), and the root of that reliability
is the ceiling. And the question itself: influence over one layer answers what a few steps around the trained model
would do (arXiv 2209.05364); a second truth therefore retrains that layer alone, held near its trained weights by the
damping. A killed run resumes at the next start.
"""

from __future__ import annotations

import copy
import time
from functools import partial

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.cells import Cells, Table, options_of
from coresift.attribution import influence_scores
from coresift.storage import TRAIN, VALID
from coresift.surrogate import SasRec, SasRecConfig, sample_losses, surrogate_batches

N_ITEMS, N_TASTES, N_TARGETS = 60, 6, 300
STEPS, LEARNING_RATE, RIDGE = 60, 0.01, 1e-2
RAISED = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Dampings for a Hessian that is not positive definite under the default one."""
MODELS_AT_ONCE = 50
RESAMPLES = 1000
Scores = NDArray[np.float64]


def shop(n_samples: int) -> pa.Table:
    """Users of six tastes: a next item follows the last one within the taste, or comes from anywhere."""
    draw = np.random.default_rng(0)
    per_taste = N_ITEMS // N_TASTES
    histories, targets = [], []
    for _ in range(n_samples + N_TARGETS):
        taste, place = draw.integers(N_TASTES), draw.integers(per_taste)
        items = []
        for _ in range(draw.integers(3, 9)):
            place = (place + draw.integers(1, 4)) % per_taste
            items.append(int(draw.integers(N_ITEMS) if draw.random() < 0.15 else taste * per_taste + place))
        histories.append(items[:-1])
        targets.append(items[-1:])
    lists = pa.list_(pa.int32())
    return pa.table(
        {
            "sample_id": pa.array(range(len(targets)), pa.int32()),
            "history": pa.array(histories, lists),
            "targets": pa.array(targets, lists),
            "split": pa.array([0] * n_samples + [1] * N_TARGETS, pa.int8()),
        }
    )


class SampleLosses(nn.Module):
    """The sample losses as a module, so that weights can be put in from outside."""

    def __init__(self, model: SasRec) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Losses (B,)."""
        return sample_losses(self.model, batch)


class Study:
    """The samples, and models trained on them."""

    def __init__(self, n_samples: int) -> None:
        samples = shop(n_samples)
        self.n_samples = n_samples
        self.train = next(iter(surrogate_batches(samples, n_samples, split=TRAIN)))
        self.target = next(iter(surrogate_batches(samples, N_TARGETS, split=VALID)))

    def retrained(self, start: int) -> tuple[SasRec, Scores]:
        """The model of one start on all samples, and the effect of each sample's absence.

        All retrainings run side by side as one stack of weights; the ridge and the mean stay those of all samples.
        """
        model = SasRec(SasRecConfig(N_ITEMS, dimension=16, n_blocks=2, n_heads=2, max_length=8, dropout=0.0))
        model.initialize(torch.Generator().manual_seed(start))
        kept = torch.cat([torch.ones(1, self.n_samples), 1 - torch.eye(self.n_samples)])
        stack = {
            name: weight.detach().repeat(len(kept), *[1] * weight.ndim) for name, weight in model.named_parameters()
        }
        slope = vmap(grad(partial(self._objective, SampleLosses(model))), chunk_size=MODELS_AT_ONCE)
        optimizer = torch.optim.Adam(stack.values(), lr=LEARNING_RATE, foreach=True)
        with sdpa_kernel(SDPBackend.MATH):
            for _ in range(STEPS):
                for name, gradient in slope(stack, kept).items():
                    stack[name].grad = gradient
                optimizer.step()
        model.load_state_dict({name: weights[0] for name, weights in stack.items()})
        losses = []
        for row in range(len(kept)):
            one = copy.deepcopy(model)
            one.load_state_dict({name: weights[row] for name, weights in stack.items()})
            losses.append(self.target_loss(one))
        return model.eval(), np.array(losses[1:]) - losses[0]

    def _objective(self, losses: SampleLosses, weights: dict[str, Tensor], kept: Tensor) -> Tensor:
        squares = torch.stack([weight.square().sum() for weight in weights.values()]).sum()
        each = functional_call(losses, {f"model.{name}": weight for name, weight in weights.items()}, (self.train,))
        return (each * kept).sum() / self.n_samples + RIDGE / 2 * squares

    @torch.no_grad()
    def target_loss(self, model: SasRec) -> float:
        """Mean loss of the target samples."""
        return float(sample_losses(model, self.target).double().mean())

    def influence(self, model: SasRec, module: str, curvature: str) -> tuple[Scores, float]:
        """Scores over one layer, and the damping used: the default, or the least of `RAISED` that suffices."""
        for damping in (None, *RAISED):
            try:
                result = influence_scores(
                    model, module, [self.train], [self.target], sample_losses, curvature=curvature, damping=damping
                )
            except ValueError:
                if damping == RAISED[-1]:
                    raise
            else:
                if damping:
                    print(f"the {curvature} is positive definite with a damping of {damping} only", flush=True)
                break
        return result.scores.double().numpy(), result.damping

    def layer_effects(self, model: SasRec, damping: float) -> Scores:
        """The second truth: the layer alone is trained on without each sample, held by the damping."""
        weight = model.get_submodule(model.influence_module).weight
        trained = weight.detach().clone()
        before = self.target_loss(model)
        effects = []
        for left_out in range(self.n_samples):
            self._settle(model, weight, trained, left_out, damping)
            effects.append(self.target_loss(model) - before)
            with torch.no_grad():
                weight.copy_(trained)
        return np.array(effects)

    def _settle(self, model: SasRec, weight: Tensor, trained: Tensor, left_out: int, damping: float) -> None:
        """Minimize loss change without the sample, as its first-order removal from a stationary point, plus damping."""
        for parameter in model.parameters():
            parameter.requires_grad_(parameter is weight)
        slope = torch.autograd.grad(sample_losses(model, self.train).mean(), weight)[0]
        optimizer = torch.optim.LBFGS([weight], max_iter=12, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

        def closure() -> Tensor:
            optimizer.zero_grad()
            losses = sample_losses(model, self.train)
            step = weight - trained
            held = damping / 2 * step.square().sum() - (slope * step).sum()
            loss = losses.mean() - losses[left_out] / self.n_samples + held
            loss.backward()
            return loss

        optimizer.step(closure)


def one_start(study: Study, start: int) -> dict[str, list[float]]:
    """Effects and scores of every sample, from one start."""
    began = time.process_time()
    model, effects = study.retrained(start)
    scores: dict[str, Scores] = {"retrained without": effects}
    for curvature in ("fisher", "hessian"):
        scores[f"influence, {curvature}"], damping = study.influence(model, model.influence_module, curvature)
    scores["layer retrained without"] = study.layer_effects(model, damping)
    linears = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    scores["influence, fisher, all Linears"] = sum(study.influence(model, name, "fisher")[0] for name in linears)
    with torch.no_grad():
        scores["loss"] = sample_losses(model, study.train).double().numpy()
    print(f"start {start}: {time.process_time() - began:.0f} s of CPU time", flush=True)
    return {name: values.tolist() for name, values in scores.items()}


def interval(first: Scores, second: Scores) -> tuple[float, float, float]:
    """Spearman's correlation with its 95 % bootstrap interval over samples."""
    draw = np.random.default_rng(0)
    rows = draw.integers(len(first), size=(RESAMPLES, len(first)))
    drawn = [spearmanr(first[row], second[row]).statistic for row in rows]
    return float(spearmanr(first, second).statistic), *np.quantile(drawn, [0.025, 0.975]).tolist()


def ceiling(effects: Scores) -> tuple[float, float, float]:
    """Best correlation a score can have with the mean of noisy effects (starts, samples), with its interval."""

    def of(rows: NDArray[np.int64]) -> float:
        halves = effects[0::2, rows].mean(0), effects[1::2, rows].mean(0)
        half = max(0.0, float(spearmanr(*halves).statistic))
        return float(np.sqrt(2 * half / (1 + half)))

    draw = np.random.default_rng(0)
    everyone = np.arange(effects.shape[1])
    drawn = [of(draw.integers(len(everyone), size=len(everyone))) for _ in range(RESAMPLES)]
    return of(everyone), *np.quantile(drawn, [0.025, 0.975]).tolist()


def report(starts: list[dict[str, list[float]]]) -> dict[str, tuple[float, float, float]]:
    """All correlations, of scores and effects averaged over the starts."""
    mean = {name: np.mean([cell[name] for cell in starts], axis=0) for name in starts[0]}
    truth = mean["retrained without"]
    rows = {"ceiling (retraining noise)": ceiling(np.array([cell["retrained without"] for cell in starts]))}
    for name in ("influence, fisher", "influence, hessian", "influence, fisher, all Linears", "loss"):
        rows[name] = interval(mean[name], truth)
    rows["layer retrained without"] = interval(mean["layer retrained without"], truth)
    for name in ("influence, fisher", "influence, hessian"):
        rows[f"{name}, with layer retrained"] = interval(mean[name], mean["layer retrained without"])
    return rows


def main() -> None:
    """Measure every start and print the table."""
    parser = options_of(__doc__, results="leave_one_out", quick="60 samples and 3 starts")
    parser.add_argument("--starts", type=int, default=4, help="retrainings of every left-out sample, at least 3")
    options = parser.parse_args()
    torch.set_num_threads(1)
    n_samples, n_starts = (60, 3) if options.quick else (200, max(3, options.starts))
    study, cells = Study(n_samples), Cells(options.out)
    starts = [
        cells.figures(f"leave_one_out-{n_samples}-{start}", partial(one_start, study, start))
        for start in range(n_starts)
    ]
    print(f"{n_samples} samples, {n_starts} retrainings of each; Spearman with the mean effect, 95 % interval")
    table, correlations = Table(score=45, correlation=12, low=8, high=8), report(starts)
    for name, figures in correlations.items():
        table.row(name, *(f"{figure:.3f}" for figure in figures))
    Cells(options.out, quick=options.quick).save_table(correlations)


if __name__ == "__main__":
    main()
