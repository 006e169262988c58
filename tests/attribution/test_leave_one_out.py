from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional

from coresift.attribution import influence_scores

N_SAMPLES, N_INPUTS, RIDGE = 240, 6, 0.02


def made_samples(count, seed):
    """Two classes that overlap."""
    draw = np.random.default_rng(seed)
    label = draw.integers(2, size=count)
    inputs = draw.standard_normal((count, N_INPUTS)) + np.outer(2 * label - 1, [0.8, 0.4, 0.2, 0, 0, 0])
    return {"inputs": torch.from_numpy(inputs), "label": torch.from_numpy(label).double()}


def losses_of(model, batch):
    logits = model(batch["inputs"]).squeeze(1)
    return functional.binary_cross_entropy_with_logits(logits, batch["label"], reduction="none")


def fitted(samples, kept):
    """Logistic regression by Newton's method: the sum of the kept losses / N, and a ridge."""
    inputs, label = samples["inputs"].numpy()[kept], samples["label"].numpy()[kept]
    weight = np.zeros(N_INPUTS)
    for _ in range(10):
        chance = 1 / (1 + np.exp(-inputs @ weight))
        slope = inputs.T @ (chance - label) / N_SAMPLES + RIDGE * weight
        bend = inputs.T @ (inputs * (chance * (1 - chance))[:, None]) / N_SAMPLES + RIDGE * np.eye(N_INPUTS)
        weight -= np.linalg.solve(bend, slope)
    model = nn.Sequential(nn.Linear(N_INPUTS, 1, bias=False).double())
    with torch.no_grad():
        model[0].weight.copy_(torch.from_numpy(weight))
    return model


@pytest.fixture(scope="module")
def study():
    """The model on all samples, and how much each sample's absence raises the target loss."""
    train, target = made_samples(N_SAMPLES, 0), made_samples(400, 1)
    whole = fitted(train, np.ones(N_SAMPLES, dtype=bool))
    with torch.no_grad():
        losses = [losses_of(fitted(train, np.arange(N_SAMPLES) != out), target).mean() for out in range(N_SAMPLES)]
        effects = torch.stack(losses) - losses_of(whole, target).mean()
    return whole, train, target, effects.numpy()


@pytest.mark.parametrize("solver", ["cg", "dense", "lissa"])
def test_influence_predicts_what_leaving_a_sample_out_does(study, solver):
    whole, train, target, effects = study
    options = {"curvature": "hessian", "damping": RIDGE, "solver": solver}
    result = influence_scores(whole, "0", [train], [target], losses_of, **options)
    predicted = result.scores.numpy() / N_SAMPLES
    assert spearmanr(predicted, effects).statistic > 0.95
    assert np.polyfit(predicted, effects, 1)[0] == pytest.approx(1, abs=0.15)


def test_the_fisher_matrix_stands_for_the_hessian(study):
    whole, train, target, effects = study
    result = influence_scores(whole, "0", [train], [target], losses_of, damping=RIDGE)
    assert spearmanr(result.scores, effects).statistic > 0.9
