"""Whatever the log: no history holds its target or anything later, and no test target was trained on."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coresift.storage import TEST, TRAIN

rows = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": st.integers(0, 4),
            "item_id": st.integers(0, 12),
            "timestamp": st.integers(10**12, 10**12 + 30),
            "rating": st.sampled_from([1.0, 3.0, 4.0, 5.0]),
            "split": st.sampled_from(["train", "valid", "test"]),
        }
    ),
    min_size=12,
    max_size=80,
)
choices = st.fixed_dictionaries(
    {
        "split": st.sampled_from(["given", "global_time", "per_user_time", "leave_one_out", "temporal_cutoff"]),
        "samples": st.sampled_from(["last", "sliding_window", "all_prefixes", "click"]),
        "min_history": st.integers(0, 2),
        "max_history": st.integers(1, 4),
        "k_core": st.integers(0, 2),
    }
)
CUTOFFS = {"valid_from": "2001-09-09T01:46:40.010", "test_from": "2001-09-09T01:46:40.020"}


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows, choices)
def test_samples_never_look_ahead(ingest_rows, log, options):
    try:
        corpus = ingest_rows(log, **options, **(CUTOFFS if options["split"] == "temporal_cutoff" else {}))
    except ValueError as error:
        assert str(error).startswith("raw_interactions gives")
        return
    events = {(row["user_id"], row["item_id"]): row for row in corpus.interactions.to_pylist()}
    assert len(events) == corpus.interactions.num_rows
    trained = {
        (sample["user_id"], item)
        for sample in corpus.samples.to_pylist()
        if sample["split"] == TRAIN
        for item in [*sample["history"], *sample["targets"]]
    }
    for sample in corpus.samples.to_pylist():
        user = sample["user_id"]
        targets = [events[user, item] for item in sample["targets"]]
        past = [events[user, item] for item in sample["history"]]
        assert all(target["split"] == sample["split"] for target in targets)
        assert all(event["position"] < target["position"] for event in past for target in targets)
        assert all(event["timestamp"] <= sample["timestamp"] for event in past)
        assert all(event["split"] <= sample["split"] for event in past)
        assert [event["position"] for event in past] == sorted(event["position"] for event in past)
        assert sample["history_ratings"] == [event["rating"] for event in past]
        if sample["split"] == TEST:
            assert not trained & {(user, item) for item in sample["targets"]}
