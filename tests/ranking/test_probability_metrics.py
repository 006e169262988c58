from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from coresift.evaluation import click_metrics


def draw(seed, count=200):
    generator = np.random.default_rng(seed)
    probability = generator.choice(np.round(generator.random(30), 2), count)
    return probability, (generator.random(count) < probability).astype(int)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_scikit_learn_on_predictions_with_ties(seed):
    probability, label = draw(seed)
    found = click_metrics(probability, label)
    assert found["auc"] == pytest.approx(roc_auc_score(label, probability))
    assert found["log_loss"] == pytest.approx(log_loss(label, np.clip(probability, 1e-7, 1 - 1e-7)))
    assert found["accuracy"] == pytest.approx(accuracy_score(label, probability >= 0.5))


def test_area_is_the_share_of_pairs_in_the_right_order():
    probability, label = np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 1, 0, 1])
    pairs = itertools.product(probability[label == 1], probability[label == 0])
    wins = [1.0 if high > low else 0.5 if high == low else 0.0 for high, low in pairs]
    assert click_metrics(probability, label)["auc"] == np.mean(wins)


def test_calibration_error_is_the_gap_between_prediction_and_frequency():
    label = np.tile([1, 0, 0, 0], 250)
    assert click_metrics(np.full(1000, 0.25), label)["calibration_error"] == pytest.approx(0.0, abs=1e-12)
    assert click_metrics(np.full(1000, 0.75), label)["calibration_error"] == pytest.approx(0.5)


def test_one_class_has_no_area_and_a_certain_mistake_stays_finite():
    found = click_metrics([0.0, 1.0], [1, 1])
    assert np.isnan(found["auc"])
    assert np.isfinite(found["log_loss"])


@pytest.mark.parametrize(
    ("probability", "label", "message"),
    [([0.5], [0, 1], "do not match"), ([0.5], [2], "neither 0 nor 1"), ([1.5], [1], "outside 0 to 1")],
)
def test_clear_errors(probability, label, message):
    with pytest.raises(ValueError, match=message):
        click_metrics(probability, label)
