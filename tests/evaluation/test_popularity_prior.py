"""The recent-popularity prior: the formula, what each half may see, and how its terms are chosen."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from evaluation_cases import samples

from coresift.evaluation import PopularityPrior, prior_tuning

N_USERS, N_ITEMS = 40, 30


@pytest.fixture
def world() -> tuple[pa.Table, pa.Table]:
    """Everybody's last item is one of the few items in fashion; the history says nothing."""
    generator = np.random.default_rng(0)
    targets = generator.choice(5, size=N_USERS)
    table = samples(
        [[int(item)] for item in generator.choice(np.arange(5, N_ITEMS), N_USERS)], targets[:, None].tolist()
    )
    table = table.set_column(3, "split", pa.array([1] * N_USERS, pa.int8()))
    table = table.append_column("user_id", pa.array(range(N_USERS), pa.int32()))
    old = {"user_id": [0, 1, 2], "item_id": [29, 29, 29], "split": [0, 0, 2]}
    window = {"user_id": list(range(N_USERS)), "item_id": targets.tolist(), "split": [1] * N_USERS}
    columns = {name: pa.array(window[name] + old[name], pa.int32()) for name in window}
    return table, pa.table(columns)


def noise(rows: int) -> torch.Tensor:
    return torch.randn(rows, N_ITEMS, generator=torch.Generator().manual_seed(1))


def test_scores_are_a_sum_of_three_terms() -> None:
    logits, surrogate = noise(4), noise(8)[4:]
    counts = torch.arange(N_ITEMS).float()
    added = PopularityPrior(weight=1.5, smoothing=0.2, surrogate_weight=0.4).add_to(logits, counts, surrogate)
    for user, item in ((0, 0), (3, 7)):
        expected = float(logits[user, item]) + 1.5 * np.log(item + 0.2) + 0.4 * float(surrogate[user, item])
        assert float(added[user, item]) == pytest.approx(expected, rel=1e-5)
    assert torch.equal(PopularityPrior(weight=0.0).add_to(logits, counts), logits)


def test_a_half_sees_the_other_half_s_window_only(world) -> None:
    table, log = world
    tuning = prior_tuning(table, log, N_ITEMS, n_users=N_USERS)
    targets = np.array(table["targets"].to_pylist())[:, 0]
    for side in (0, 1):
        others = targets[(tuning.half != side).numpy()]
        assert tuning.half_counts[side].tolist() == np.bincount(others, minlength=N_ITEMS).tolist()
    assert torch.equal(tuning.half_counts.sum(0), tuning.counts)
    assert tuning.counts[29] == 0, "training and test interactions are not in the window"
    assert abs(int(tuning.half.sum()) - N_USERS // 2) <= 1


def test_all_samples_of_a_user_see_the_other_half_only(world) -> None:
    table, log = world
    users = pa.array(np.arange(N_USERS) // 3, pa.int32())
    table = table.set_column(table.column_names.index("user_id"), "user_id", users)
    window = log.filter(pa.array(np.asarray(log["split"]) == 1))
    log = window.set_column(window.column_names.index("user_id"), "user_id", users)
    tuning = prior_tuning(table, log, N_ITEMS, n_users=N_USERS)
    owners, targets = np.asarray(tuning.samples["user_id"]), np.array(table["targets"].to_pylist())[:, 0]
    for user in np.unique(owners):
        (side,) = set(tuning.half[torch.from_numpy(owners == user)].tolist())
        others = [item for item, owner in zip(targets, owners, strict=True) if tuning.half[owners == owner][0] != side]
        assert tuning.half_counts[side].tolist() == np.bincount(others, minlength=N_ITEMS).tolist()


def test_fewer_users_are_drawn_but_all_are_counted(world) -> None:
    table, log = world
    tuning = prior_tuning(table, log, N_ITEMS, n_users=10)
    assert tuning.samples.num_rows == len(tuning.half) == 10
    assert tuning.samples["sample_id"].to_pylist() == sorted(tuning.samples["sample_id"].to_pylist())
    assert tuning.counts.sum() == N_USERS


def test_fashion_is_weighted_where_it_helps_and_left_out_where_it_does_not(world) -> None:
    table, log = world
    tuning = prior_tuning(table, log, N_ITEMS, n_users=N_USERS)
    scores = noise(N_USERS)
    helped = tuning.choose(lambda block: scores[block])
    assert helped.weight >= 1
    assert helped.surrogate_weight == 0
    assert tuning.value(helped, lambda block: scores[block]) > 2 * tuning.value(
        PopularityPrior(weight=0.0), lambda block: scores[block]
    )
    right = torch.zeros(N_USERS, N_ITEMS)
    right[torch.arange(N_USERS), torch.tensor(table["targets"].to_pylist())[:, 0]] = 1.0
    knowing = PopularityPrior(weight=0.0)
    assert tuning.value(knowing, lambda block: right[block]) == 1.0
    assert tuning.value(tuning.choose(lambda block: right[block]), lambda block: right[block]) == 1.0


def test_the_surrogate_is_a_term_where_it_is_given(world) -> None:
    table, log = world
    tuning = prior_tuning(table, log, N_ITEMS, n_users=N_USERS)
    scores, right = noise(N_USERS), torch.zeros(N_USERS, N_ITEMS)
    right[torch.arange(N_USERS), torch.tensor(table["targets"].to_pylist())[:, 0]] = 5.0
    chosen = tuning.choose(lambda block: scores[block], lambda block: right[block])
    assert chosen.surrogate_weight > 0


def test_too_few_validation_users_are_refused(world) -> None:
    table, log = world
    with pytest.raises(ValueError, match=r"evaluation\.prior_users to 0"):
        prior_tuning(table.slice(0, 1), log, N_ITEMS, n_users=10)
