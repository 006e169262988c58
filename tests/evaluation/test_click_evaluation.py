"""Click predictions: coverage, intervals over users, and a report of their own."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from click_world import N_ITEMS, click_samples, profiles

from coresift.datasets.validators import MetricsContract
from coresift.evaluation import (
    compare_runs,
    evaluate_clicks,
    metrics_summary_lines,
    outputs_of,
    plot_intervals,
    predict_by_rates,
    predict_with_surrogate,
    predictions_of,
    write_report,
)
from coresift.ranking import click_metrics
from coresift.storage import SCHEMAS, Tensors
from coresift.surrogate import SasRec, SasRecConfig, din_states, train_click_surrogate

N_TRAIN, N_TEST = 60, 90


@pytest.fixture(scope="module")
def samples() -> pa.Table:
    """Ten users; those with an even id like everything, item 0 is liked by nobody else."""
    generator = np.random.default_rng(0)
    count = N_TRAIN + N_TEST
    users, items = generator.integers(10, size=count), generator.integers(4, size=count)
    label = (users % 2 == 0) | ((items > 0) & (generator.random(count) < 0.4))
    return pa.table(
        {
            "sample_id": pa.array(range(count), pa.int32()),
            "user_id": pa.array(users, pa.int32()),
            "targets": pa.array(items[:, None].tolist(), pa.list_(pa.int32())),
            "label": pa.array(label, pa.int8()),
            "split": pa.array([0] * N_TRAIN + [2] * N_TEST, pa.int8()),
        }
    )


class Clicker:
    """Knows the label, with some noise."""

    predicts_clicks = True

    def __init__(self, samples: pa.Table) -> None:
        self.label = torch.tensor(samples["label"].to_pylist()).float()

    def click_probabilities(self, prompts: pa.Table) -> torch.Tensor:
        ids = torch.tensor(prompts["sample_id"].to_pylist())
        noise = torch.rand(len(self.label), generator=torch.Generator().manual_seed(0))
        return (0.5 * self.label + 0.5 * noise)[ids]


@pytest.fixture(scope="module")
def predictions(samples: pa.Table) -> pa.Table:
    prompts = samples.select(["sample_id"]).sort_by([("sample_id", "descending")])
    tuned = outputs_of(Clicker(samples), prompts, samples, method="tuned", k=5)
    assert tuned.rankings.num_rows == 0
    return pa.concat_tables([tuned.predictions, predict_by_rates(samples)])


def test_predictions_are_joined_by_sample(samples, predictions) -> None:
    tuned = predictions_of(predictions, "tuned")
    assert tuned.schema == SCHEMAS["predictions"]
    assert tuned["sample_id"].to_pylist() == list(range(N_TRAIN, N_TRAIN + N_TEST))
    clicked = np.array(samples["label"])[N_TRAIN:] == 1
    assert (tuned["probability"].to_numpy()[clicked] >= 0.5).all()
    assert (tuned["probability"].to_numpy()[~clicked] <= 0.5).all()


def test_rates_are_those_of_the_training_split_drawn_to_the_mean(samples) -> None:
    rates = predict_by_rates(samples)
    train = samples.slice(0, N_TRAIN)
    label, users = np.array(train["label"]), np.array(train["user_id"])
    row = rates.filter(pc.field("method") == "user_click_rate").slice(3, 1).to_pylist()[0]
    user = samples["user_id"][row["sample_id"]].as_py()
    mine = label[users == user]
    assert row["probability"] == pytest.approx((mine.sum() + 5 * label.mean()) / (len(mine) + 5), rel=1e-5)


def test_rows_are_the_click_metrics_with_intervals_over_users(samples, predictions) -> None:
    document, per_sample = evaluate_clicks(predictions, samples, n_resamples=300)
    MetricsContract().validate(json.loads(json.dumps(document)))
    label = np.array(samples["label"])[N_TRAIN:]
    for row in document["rows"]:
        expected = click_metrics(predictions_of(predictions, row["method"])["probability"].to_numpy(), label)
        for name, value in expected.items():
            assert row[name]["mean"] == pytest.approx(value)
            assert row[name]["low"] <= value + 1e-9
            assert row[name]["high"] >= value - 1e-9
    assert document["rows"][0]["method"] == "tuned"
    assert all(entry["auc"]["low"] > 0 for entry in document["comparisons"])
    assert per_sample.num_rows == 3 * N_TEST
    assert compare_runs(per_sample, per_sample, against="item_click_rate", masked=False)["accuracy"]["better"]


def test_resampled_areas_equal_those_of_repeated_impressions(samples, predictions) -> None:
    from coresift.evaluation.click_evaluation import _Sorted

    probability = np.round(predictions_of(predictions, "item_click_rate")["probability"].to_numpy().astype(float), 1)
    label = np.array(samples["label"], dtype=np.int64)[N_TRAIN:]
    weights = np.random.default_rng(1).integers(0, 4, (5, N_TEST)).astype(float)
    areas = _Sorted.of(probability).area_under_curve(weights, label)
    for row, area in zip(weights.astype(int), areas, strict=True):
        expected = click_metrics(np.repeat(probability, row), np.repeat(label, row))["auc"]
        assert area == pytest.approx(expected)


def test_report_plot_and_summary_show_clicks(samples, predictions) -> None:
    document, _ = evaluate_clicks(predictions, samples, n_resamples=100)
    page = write_report(document, {})
    assert "90 test impressions" in page
    assert "Click rate of the item" in page
    assert "recall" not in page
    lines = metrics_summary_lines(document)
    assert "auc" in lines[0]
    assert "90 impressions" in lines[-1]
    assert len(plot_intervals(document).axes) == 2


def test_missing_impressions_are_refused(samples, predictions) -> None:
    with pytest.raises(ValueError, match="do not cover the test samples"):
        evaluate_clicks(predictions.filter(pc.field("sample_id") > 70), samples)


def test_impressions_of_one_class_have_no_area_but_do_not_stop_the_report(samples, predictions) -> None:
    place = samples.column_names.index("label")
    liked = samples.set_column(place, "label", pa.array([1] * len(samples), samples["label"].type))
    document, _ = evaluate_clicks(predictions, liked, n_resamples=50)
    assert all(np.isnan(entry["auc"]["low"]) for entry in document["comparisons"])
    assert "90 test impressions" in write_report(document, {})


def test_the_surrogate_of_clicks_predicts_from_its_states() -> None:
    clicks, users = click_samples(120), profiles()
    model = train_click_surrogate(clicks, users, N_ITEMS, epochs=1).model
    states, logits = din_states(model, clicks, users)
    shuffled = torch.randperm(len(clicks), generator=torch.Generator().manual_seed(0))
    mixed = Tensors({name: values[shuffled] for name, values in states.items()}, states.metadata)
    found = predictions_of(predict_with_surrogate(model, clicks, mixed), "surrogate")
    tested = np.flatnonzero(np.asarray(clicks["split"]) == 2)
    assert found["sample_id"].to_pylist() == tested.tolist()
    np.testing.assert_allclose(found["probability"], logits[tested].sigmoid(), rtol=1e-5)
    with pytest.raises(ValueError, match="come from different trainings: run the surrogate pipeline again"):
        predict_with_surrogate(model, clicks, Tensors(states, {"surrogate": "another"}))


def test_a_surrogate_of_next_items_has_no_row_of_clicks() -> None:
    found = predict_with_surrogate(SasRec(SasRecConfig(N_ITEMS, dimension=4)), click_samples(30), {})
    assert found.schema == SCHEMAS["method_predictions"] and not found.num_rows
