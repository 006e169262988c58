"""Click probabilities of every method for the same test impressions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from coresift.evaluation.methods import rows_of_prompts, samples_to_test, surrogate_states_of
from coresift.recommenders import Recommender
from coresift.storage import SCHEMAS, TRAIN, empty_table
from coresift.surrogate import Din, Surrogate, surrogate_fingerprint

PRIOR_IMPRESSIONS = 5.0
"""Impressions at the overall rate that are added to those of every item or user."""


def predict_clicks(recommender: Recommender, prompts: pa.Table, samples: pa.Table, *, method: str) -> pa.Table:
    """Predict every test impression with a language model.

    Returns:
        method, sample_id, probability.

    Raises:
        ValueError: A test sample has no prompt.
    """
    tested = samples_to_test(samples)
    found = recommender.click_probabilities(prompts.take(rows_of_prompts(tested, prompts)))
    return _table(method, tested, found.numpy())


def predict_by_rates(samples: pa.Table) -> pa.Table:
    """Predict every test impression by the share of clicks in the training split: of its item, and of its user.

    Returns:
        method, sample_id, probability for the methods ``item_click_rate`` and ``user_click_rate``.
    """
    train, tested = samples.filter(pc.equal(samples["split"], TRAIN)), samples_to_test(samples)
    label = np.asarray(train["label"], dtype=np.float64)
    overall = label.mean() if len(label) else 0.5
    tables = []
    for method, owner in (("item_click_rate", _first_targets), ("user_click_rate", _users)):
        known, asked = owner(train), owner(tested)
        width = max(known.max(initial=-1), asked.max(initial=-1)) + 1
        clicks = np.bincount(known, weights=label, minlength=width) + PRIOR_IMPRESSIONS * overall
        rate = clicks / (np.bincount(known, minlength=width) + PRIOR_IMPRESSIONS)
        tables.append(_table(method, tested, rate[asked]))
    return pa.concat_tables(tables)


def predict_with_surrogate(surrogate: Surrogate, samples: pa.Table, surrogate_states: dict[str, Tensor]) -> pa.Table:
    """Predict every test impression with the surrogate: DIN's logit is one linear map away from its state.

    Args:
        surrogate: What made the states; one that predicts next items has no probability of a click.
        samples: Table ``samples``.
        surrogate_states: Tensors ``sample_id`` and ``state``.

    Returns:
        method, sample_id, probability for the method ``surrogate``; no rows where it predicts next items.

    Raises:
        ValueError: A test sample has no state, or the states come from another training.
    """
    if not isinstance(surrogate, Din):
        return empty_table("method_predictions")
    origin = getattr(surrogate_states, "metadata", {}).get("surrogate")
    if origin is not None and origin != surrogate_fingerprint(surrogate):
        raise ValueError(
            "surrogate_states and surrogate_weights come from different trainings: run the surrogate pipeline again."
        )
    tested = samples_to_test(samples)
    logits = surrogate.logits_of(surrogate_states_of(tested, surrogate_states))
    return _table("surrogate", tested, logits.sigmoid().numpy())


def predictions_of(predictions: pa.Table, method: str) -> pa.Table:
    """Return sample_id and probability of one method, by ascending id."""
    chosen = predictions.filter(pc.field("method") == method).sort_by("sample_id")
    return chosen.select(SCHEMAS["predictions"].names).combine_chunks()


def _table(method: str, tested: pa.Table, probability: np.ndarray) -> pa.Table:
    names = pa.repeat(pa.scalar(method), len(tested))
    columns = [names, tested["sample_id"], pa.array(probability, pa.float32())]
    return pa.table(dict(zip(SCHEMAS["method_predictions"].names, columns, strict=True)), SCHEMAS["method_predictions"])


def _first_targets(samples: pa.Table) -> np.ndarray:
    return np.asarray(pc.list_element(samples["targets"], 0), dtype=np.int64)


def _users(samples: pa.Table) -> np.ndarray:
    return np.asarray(samples["user_id"], dtype=np.int64)
