"""Item vectors that begin with the titles' vectors or carry them, so that unseen items have a place."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from surrogate_world import N_ITEMS, World

from coresift.surrogate import SasRec, SasRecConfig, load_surrogate, save_surrogate, train_surrogate
from coresift.surrogate.item_text import principal_components, settle_text, use_item_text

RING = torch.arange(N_ITEMS) * (2 * np.pi / N_ITEMS)
TEXT = torch.stack([wave(k * RING) for k in range(1, 5) for wave in (torch.sin, torch.cos)], dim=1)
"""Titles that say where on the ring an item lies."""


def fresh(dimension: int = 8) -> SasRec:
    model = SasRec(SasRecConfig(n_items=N_ITEMS, dimension=dimension))
    model.initialize(torch.Generator().manual_seed(0))
    return model


def shaped(how: str, dimension: int = 8) -> SasRec:
    model, known = fresh(dimension), torch.arange(N_ITEMS) > 0
    use_item_text(model, how, TEXT, known=known, generator=torch.Generator().manual_seed(1))
    return model


def test_all_components_keep_every_distance() -> None:
    coordinates = principal_components(TEXT, 8)
    unit = torch.nn.functional.normalize(TEXT, dim=1)
    ratio = torch.cdist(coordinates, coordinates) / torch.cdist(unit, unit).clamp(min=1e-9)
    off_diagonal = ratio[~torch.eye(N_ITEMS, dtype=torch.bool)]
    assert torch.allclose(off_diagonal, off_diagonal[0], rtol=1e-3)


def test_vectors_start_as_the_titles_lie() -> None:
    vectors = shaped("start").item_vectors
    assert torch.allclose(vectors, 0.02 * principal_components(TEXT, 8))
    wider = shaped("start", dimension=12).item_vectors
    assert torch.equal(wider[:, 8:], fresh(12).item_vectors[:, 8:])


def test_a_sum_is_plain_weights_in_the_end(tmp_path) -> None:
    model = shaped("sum")
    before = model.item_vectors.detach().clone()
    assert not torch.equal(before, fresh().item_vectors)
    settle_text(model)
    assert torch.equal(model.item_vectors, before)
    assert torch.equal(load_surrogate(save_surrogate(model, tmp_path / "weights")).item_vectors, before)


def test_auto_adds_titles_where_there_are_some() -> None:
    assert torch.equal(shaped("auto").item_vectors, shaped("sum").item_vectors)
    model = fresh()
    use_item_text(model, "auto", None, known=torch.ones(N_ITEMS), generator=torch.Generator())
    assert torch.equal(model.item_vectors, fresh().item_vectors)


def test_an_unseen_item_has_no_part_of_its_own() -> None:
    model = shaped("sum")
    model.item_vectors[:2].square().sum().backward()
    gradient = model.tokens.parametrizations.weight.original.grad
    assert gradient[1].abs().sum() == 0
    assert gradient[2].abs().sum() > 0


def test_titles_let_unseen_items_be_recommended(world: World) -> None:
    """Every fifth item is taken out of training; only titles can tell where it belongs."""
    item_id = world.interactions["item_id"].to_numpy()
    hidden = (world.interactions["split"].to_numpy() == 0) & (item_id % 5 == 0)
    interactions = world.interactions.filter(~hidden)
    options = {"dimension": 16, "epochs": 12, "patience": 12, "tokens_per_batch": 128, "learning_rate": 5e-3}
    found = {}
    for how in ("none", "sum"):
        model = train_surrogate(
            interactions, world.samples, N_ITEMS, item_text_vectors=TEXT, item_text=how, **options
        ).model
        histories = world.samples.filter(pc.equal(world.samples["split"], 1))["history"].combine_chunks()
        wanted = torch.tensor([(history[-1] + 1) % N_ITEMS for history in histories.to_pylist()])
        scores = model.encode(histories) @ model.item_vectors.detach().T
        rank = (scores > scores.gather(1, wanted[:, None])).sum(1)
        found[how] = float((rank[wanted % 5 == 0] < 10).double().mean())
    assert found["sum"] > 0.9
    assert found["none"] < 0.1


def test_wrong_settings_are_named() -> None:
    arguments = {"known": torch.ones(N_ITEMS, dtype=torch.bool), "generator": torch.Generator()}
    with pytest.raises(ValueError, match="item_text 'both' is unknown: use auto, none, start or sum"):
        use_item_text(fresh(), "both", TEXT, **arguments)
    with pytest.raises(ValueError, match="one text vector for each of 40 items"):
        use_item_text(fresh(), "sum", None, **arguments)
    with pytest.raises(ValueError, match="set item_text to none"):
        use_item_text(fresh(), "start", TEXT[:3], **arguments)
