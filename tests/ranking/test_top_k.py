"""The best items of every user: masking, ties, padding, blocks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from coresift.ranking import top_items, top_items_from


def reference(scores: np.ndarray, k: int, seen: list[list[int]] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Rank by sorting everything: score descending, then id ascending."""
    scores = scores.astype(np.float32).copy()
    for row, items in enumerate(seen or []):
        scores[row, items] = -np.inf
    ids = np.lexsort((np.broadcast_to(np.arange(scores.shape[1]), scores.shape), -scores), axis=1)[:, :k]
    values = np.take_along_axis(scores, ids, axis=1)
    return np.where(np.isinf(values), -1, ids), values


@pytest.mark.parametrize("block_size", [1, 7, 64])
@pytest.mark.parametrize("n_levels", [2, 5, 1000])
def test_ties_and_masks_agree_with_a_full_sort(block_size: int, n_levels: int) -> None:
    generator = np.random.default_rng(n_levels)
    scores = generator.integers(0, n_levels, (40, 90)).astype(np.float32)
    seen = [sorted(generator.choice(90, size=n, replace=False).tolist()) for n in generator.integers(0, 88, 40)]
    expected_ids, expected_scores = reference(scores, 10, seen)
    tensor = torch.from_numpy(scores)
    ids, values = top_items_from(
        lambda block: tensor[block], 40, 10, seen=pa.array(seen, pa.list_(pa.int32())), block_size=block_size
    )
    assert np.array_equal(ids.numpy(), expected_ids)
    assert np.array_equal(values.numpy(), expected_scores)
    assert torch.equal(tensor, torch.from_numpy(scores)), "masking must not write into the caller's scores"


def test_inner_products_rank_the_catalogue() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, items = torch.randn(30, 8, generator=generator), torch.randn(50, 8, generator=generator)
    expected_ids, _ = reference((queries @ items.T).numpy(), 5)
    ids, scores = top_items(queries, items, 5, block_size=4)
    assert np.array_equal(ids.numpy(), expected_ids)
    assert ids.dtype == torch.int64
    assert scores.dtype == torch.float32


def test_one_shared_row_of_scores_can_be_expanded_and_masked() -> None:
    popularity = torch.tensor([3.0, 1.0, 3.0, 2.0])
    seen = pa.chunked_array([pa.array([[0]], pa.list_(pa.int32())), pa.array([[], None], pa.list_(pa.int32()))])
    ids, _ = top_items_from(lambda block: popularity.expand(block.stop - block.start, -1), 3, 3, seen=seen)
    assert ids.tolist() == [[2, 3, 1], [0, 2, 3], [0, 2, 3]]


def test_short_catalogues_are_padded() -> None:
    ids, scores = top_items(torch.ones(1, 2), torch.ones(3, 2), 5, seen=pa.array([[1]], pa.list_(pa.int32())))
    assert ids.tolist() == [[0, 2, -1, -1, -1]]
    assert scores[0, 2:].isinf().all()


def test_sliced_histories_mask_the_right_items() -> None:
    histories = pa.array([[0], [1], [2]], pa.list_(pa.int32())).slice(1)
    ids, _ = top_items(torch.ones(2, 1), torch.ones(3, 1), 2, seen=histories)
    assert ids.tolist() == [[0, 2], [0, 1]]


def test_bad_input_is_refused_with_a_remedy() -> None:
    with pytest.raises(ValueError, match="equal width"):
        top_items(torch.ones(2, 3), torch.ones(4, 2), 1)
    with pytest.raises(ValueError, match="at least one item"):
        top_items(torch.ones(2, 3), torch.ones(4, 3), 0)
    with pytest.raises(ValueError, match="1 lists of seen items for 2 users"):
        top_items(torch.ones(2, 3), torch.ones(4, 3), 1, seen=pa.array([[0]], pa.list_(pa.int32())))
    with pytest.raises(ValueError, match="not a number"):
        top_items(torch.full((2, 3), torch.nan), torch.ones(4, 3), 1)


@pytest.mark.parametrize("n_levels", [1, 3, 40, 100_000])
def test_maxima_of_groups_find_the_same_items_as_a_full_sort(n_levels: int) -> None:
    generator = np.random.default_rng(n_levels)
    scores = generator.integers(0, n_levels, (12, 1503)).astype(np.float32)
    scores[3] = -np.inf
    scores[4, 7:] = -np.inf
    expected_ids, expected_scores = reference(scores, 9)
    ids, values = top_items_from(lambda block: torch.from_numpy(scores)[block], 12, 9, block_size=5)
    assert np.array_equal(ids.numpy(), expected_ids)
    assert np.array_equal(values.numpy(), expected_scores)


@pytest.mark.parametrize("items_per_block", [3, 40, 119, 120])
def test_a_catalogue_ranked_in_parts_gives_the_same_lists(items_per_block: int) -> None:
    generator = np.random.default_rng(1)
    queries = torch.from_numpy(generator.integers(-1, 2, (17, 3)).astype(np.float32))
    items = torch.from_numpy(generator.integers(-1, 2, (119, 3)).astype(np.float32))
    seen = [sorted(generator.choice(119, size=n, replace=False).tolist()) for n in generator.integers(0, 119, 17)]
    expected_ids, expected_scores = reference((queries @ items.T).numpy(), 8, seen)
    ids, values = top_items(
        queries, items, 8, seen=pa.array(seen, pa.list_(pa.int32())), block_size=4, items_per_block=items_per_block
    )
    assert np.array_equal(ids.numpy(), expected_ids)
    assert np.array_equal(values.numpy(), expected_scores)
