from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from influence_cases import SmallNetwork, cross_entropy, made_batches, wave_problem

from coresift.attribution import influence_scores
from coresift.attribution.curvature import Curvature
from coresift.attribution.linear_gradients import HeldCalls, LinearProblem

DATTRI = json.loads(Path(__file__).with_name("dattri_figures.json").read_text())


@pytest.fixture
def network():
    torch.manual_seed(1)
    return SmallNetwork()


def autograd_gradients(model, batches, weight):
    rows = []
    for batch in batches:
        for row in range(len(batch["label"])):
            rows.append(torch.autograd.grad(cross_entropy(model, batch)[row], weight)[0].flatten())
    return torch.stack(rows).double()


def autograd_hessian(model, batches, weight):
    losses = torch.cat([cross_entropy(model, batch) for batch in batches])
    (gradient,) = torch.autograd.grad(losses.mean(), weight, create_graph=True)
    rows = [torch.autograd.grad(entry, weight, retain_graph=True)[0].flatten() for entry in gradient.flatten()]
    return torch.stack(rows).double()


@pytest.mark.parametrize("layer", ["first", "last"])
@pytest.mark.parametrize("solver", ["dense", "cg", "lissa"])
def test_fisher_influence_equals_a_dense_solve(network, layer, solver):
    train, target = made_batches([16, 16, 7], 2), made_batches([9, 4], 3)
    weight = getattr(network, layer).weight
    gradients, goal = autograd_gradients(network, train, weight), autograd_gradients(network, target, weight).mean(0)
    fisher = gradients.T @ gradients / len(gradients)
    damping = 0.1 * fisher.diagonal().mean()
    expected = gradients @ torch.linalg.solve(fisher + damping * torch.eye(len(fisher)), goal)
    result = influence_scores(network, layer, train, target, cross_entropy, solver=solver)
    tolerance = 1e-3 if solver == "lissa" else 1e-5
    torch.testing.assert_close(result.scores.double(), expected, rtol=tolerance, atol=tolerance * float(expected.std()))
    assert result.residual < (2e-4 if solver == "lissa" else 1e-5)
    assert result.damping == pytest.approx(float(damping), rel=1e-5)


@pytest.mark.parametrize("solver", ["dense", "cg", "lissa"])
def test_hessian_influence_equals_a_dense_solve(network, solver):
    train, target = made_batches([20, 20], 2), made_batches([10], 3)
    hessian = autograd_hessian(network, train, network.last.weight)
    goal = autograd_gradients(network, target, network.last.weight).mean(0)
    gradients = autograd_gradients(network, train, network.last.weight)
    expected = gradients @ torch.linalg.solve(hessian + 0.05 * torch.eye(len(hessian)), goal)
    result = influence_scores(
        network, "last", train, target, cross_entropy, curvature="hessian", damping=0.05, solver=solver
    )
    tolerance = 1e-3 if solver == "lissa" else 1e-4
    torch.testing.assert_close(result.scores.double(), expected, rtol=tolerance, atol=tolerance * float(expected.std()))


@pytest.mark.parametrize("curvature", ["fisher", "hessian"])
def test_a_matrix_too_large_to_hold_gives_the_same_scores(network, curvature, monkeypatch):
    train, target = made_batches([16, 9], 2), made_batches([10], 3)
    options = {"curvature": curvature, "damping": 0.3, "solver": "cg"}
    held = influence_scores(network, "first", train, target, cross_entropy, **options)
    monkeypatch.setattr("coresift.attribution.curvature.LARGEST_WHOLE_MATRIX", {"fisher": 1, "hessian": 1})
    streamed = influence_scores(network, "first", train, target, cross_entropy, **options)
    torch.testing.assert_close(streamed.scores, held.scores, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="use solver 'cg'"):
        influence_scores(network, "first", train, target, cross_entropy, solver="dense")


@pytest.mark.parametrize("layer", ["first", "last"])
@pytest.mark.parametrize("solver", ["cg", "dense"])
def test_scores_equal_those_of_an_independent_implementation(layer, solver):
    """Recorded from dattri by record_dattri.py."""
    network, train, target = wave_problem()
    recorded = DATTRI["layers"][layer]
    options = {"curvature": "hessian", "damping": recorded["damping"], "solver": solver}
    result = influence_scores(network, layer, [train], [target], cross_entropy, **options)
    for theirs in ("cg", "dense"):
        torch.testing.assert_close(
            result.scores.double(), torch.tensor(recorded[theirs]).double(), rtol=1e-5, atol=1e-6
        )
    assert result.residual < 1e-6


def test_negative_curvature_asks_for_more_damping(network):
    def concave(model, batch):
        return -cross_entropy(model, batch)

    with pytest.raises(ValueError, match="raise damping"):
        influence_scores(
            network, "last", made_batches([8], 2), made_batches([8], 3), concave, curvature="hessian", damping=1e-6
        )


@pytest.mark.parametrize("held", [True, False])
def test_the_default_ridge_is_positive_where_a_hessian_bends_downwards(network, monkeypatch, held):
    def concave(model, batch):
        return -cross_entropy(model, batch)

    if not held:
        monkeypatch.setattr("coresift.attribution.curvature.LARGEST_WHOLE_MATRIX", {"fisher": 1, "hessian": 1})
    batches = made_batches([8], 2)
    for loss in (cross_entropy, concave):
        problem = LinearProblem(network, "last", loss)
        curvature = Curvature(HeldCalls(problem, batches), kind="hessian", damping=None)
        assert (curvature.mean_diagonal() < 0) == (loss is concave)
        assert curvature.damping == pytest.approx(0.1 * abs(curvature.mean_diagonal()))


def test_a_sample_of_the_target_itself_helps_most(network):
    train = made_batches([12], 2)
    target = [{name: tensor[3:4] for name, tensor in train[0].items()}]
    scores = influence_scores(network, "last", train, target, cross_entropy, damping=10.0).scores
    assert scores[3] > 0


def test_clear_errors(network):
    batches = made_batches([4], 0)
    with pytest.raises(ValueError, match="first, last"):
        influence_scores(network, "middle", batches, batches, cross_entropy)
    with pytest.raises(ValueError, match="read only once"):
        influence_scores(network, "last", iter(batches), batches, cross_entropy)
    with pytest.raises(ValueError, match="cg, lissa"):
        influence_scores(network, "last", batches, batches, cross_entropy, solver="lu")
    with pytest.raises(ValueError, match="fisher, hessian"):
        influence_scores(network, "last", batches, batches, cross_entropy, curvature="gauss")
