"""Known facts of the published Games corpus: whom the released shift of the sequence leaves without influence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from coresift.attribution import influence_scores
from coresift.ranking import list_lengths, lists_from_rows
from coresift.surrogate import SasRec, SasRecConfig, sample_losses, surrogate_batches


@pytest.fixture(scope="module")
def everyone(games_folder: Path) -> tuple[pa.Table, int]:
    """One training sample for every user, those without a history included, and the size of the catalogue."""
    table = pq.read_table(games_folder / "interactions.parquet")
    train = table.filter(pc.equal(table["split"].cast(pa.string()), "train"))
    users, items = np.asarray(train["user_id"], dtype=np.int64), np.asarray(train["item_id"], dtype=np.int64)
    last = np.append(users[1:] != users[:-1], True)
    n_users = int(users.max()) + 1
    samples = {
        "sample_id": np.arange(n_users, dtype=np.int32),
        "history": lists_from_rows(users[~last], items[~last], n_users),
        "targets": lists_from_rows(users[last], items[last], n_users),
        "split": np.zeros(n_users, dtype=np.int8),
    }
    return pa.table(samples), pq.read_metadata(games_folder / "items.parquet").num_rows


def without_a_scored_item(samples: pa.Table, scored: str) -> np.ndarray:
    batches = surrogate_batches(samples, 4096, scored=scored)
    return torch.cat([(batch["target"] < 0).all(1) for batch in batches]).numpy()


def test_ties_of_the_released_shift_and_of_the_fix(everyone: tuple[pa.Table, int]) -> None:
    samples, _ = everyone
    assert samples.num_rows == 49_156
    assert without_a_scored_item(samples, "released").sum() == 7_935
    assert without_a_scored_item(samples, "sequence").sum() == 3_382
    with_history = samples.filter(pa.array(list_lengths(samples["history"]) >= 1))
    assert with_history.num_rows == 49_156 - 3_382
    assert without_a_scored_item(with_history, "sequence").sum() == 0


@pytest.mark.parametrize(("scored", "ties"), [("released", 7_935), ("sequence", 3_382)])
def test_their_influence_is_exactly_zero_and_nobody_else_s(
    everyone: tuple[pa.Table, int], scored: str, ties: int
) -> None:
    """All users with at most two training items, and three hundred others."""
    samples, n_items = everyone
    short = list_lengths(samples["history"]) < 2
    chosen = samples.filter(pa.array(short | (np.cumsum(~short) <= 300)))
    model = SasRec(SasRecConfig(n_items, dimension=8, n_blocks=1, n_heads=1, max_length=20))
    model.initialize(torch.Generator().manual_seed(0))
    batches = surrogate_batches(chosen, 2048, scored=scored)
    scores = influence_scores(model, model.influence_module, batches, batches, sample_losses, solver="dense").scores
    assert int((scores == 0).sum()) == ties
    assert np.array_equal((scores == 0).numpy(), without_a_scored_item(chosen, scored))
