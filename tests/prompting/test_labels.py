from __future__ import annotations

import pyarrow as pa
import pytest

from coresift.prompting import check_labels


def samples(labels):
    return pa.table({"label": pa.array(labels, pa.int8())})


def test_samples_must_be_of_the_recommender_s_kind():
    check_labels(samples([1, 0]), predicts_clicks=True)
    check_labels(samples([1, 1]), predicts_clicks=False)
    for predicts_clicks in (True, False):
        check_labels(samples([]), predicts_clicks=predicts_clicks)
    with pytest.raises(ValueError, match=r"no sample is disliked.*set ingestion.samples to click"):
        check_labels(samples([1, 1]), predicts_clicks=True)
    with pytest.raises(ValueError, match=r"would learn as wanted: set recommender.name to yes_no"):
        check_labels(samples([1, 0]), predicts_clicks=False)
