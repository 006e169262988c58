from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from coresift.corpus import EmbeddedCorpus, Source, embedded_corpus, ingest
from coresift.ranking import ranking_metrics, top_items_from


@pytest.fixture(scope="module")
def corpus() -> EmbeddedCorpus:
    return embedded_corpus()


def test_the_size_is_that_of_a_small_shop(corpus):
    assert corpus.users.num_rows == 2000
    assert corpus.items.num_rows == 600
    assert 18_000 <= corpus.interactions.num_rows <= 25_000
    months = pc.subtract(pc.max(corpus.interactions["timestamp"]), pc.min(corpus.interactions["timestamp"])).as_py()
    assert 17 < months / (30.4 * 86_400_000) < 18.5


def test_a_seed_fixes_every_table_and_another_seed_changes_them(corpus):
    again, other = embedded_corpus(), embedded_corpus(seed=1)
    for name in ("interactions", "items", "users", "truth"):
        assert getattr(again, name).equals(getattr(corpus, name))
        assert not getattr(other, name).equals(getattr(corpus, name))


def test_titles_differ_and_tell_platform_or_series(corpus):
    titles = [title for title in corpus.items["title"].to_pylist() if title is not None]
    assert len(set(titles)) == len(titles) >= 595
    assert any("&amp;" in title for title in titles)
    assert any("  " in title for title in titles)
    assert all(path[0] == "Video Games" and len(path) == 4 for path in corpus.items["category"].to_pylist())


def test_the_truth_names_noise_and_near_duplicates_and_stays_out_of_the_data(corpus):
    kinds = pc.value_counts(corpus.truth["kind"]).to_pylist()
    shares = {entry["values"]: entry["counts"] / corpus.truth.num_rows for entry in kinds}
    assert set(shares) == {"series", "complement", "taste", "noise", "mirrored", "repeated", "broken"}
    assert 0.03 < shares["noise"] < 0.08
    assert 0.03 < shares["mirrored"] < 0.10
    assert corpus.truth["row"].to_pylist() == list(range(corpus.interactions.num_rows))
    assert not {"kind", "truth"} & set(corpus.interactions.column_names)


def test_repeated_rows_repeat_a_purchase_of_seconds_before(corpus):
    seen: dict[tuple[str, str], int] = {}
    for row, kind in zip(corpus.interactions.to_pylist(), corpus.truth["kind"].to_pylist(), strict=True):
        purchase = (row["user_id"], row["item_id"])
        if kind == "repeated":
            assert row["timestamp"] - seen.get(purchase, row["timestamp"]) < 60_000
        else:
            seen[purchase] = row["timestamp"]
    rejected_or_broken = corpus.truth.filter(pc.equal(corpus.truth["kind"], "broken"))
    assert 0 < rejected_or_broken.num_rows < 60


def test_popularity_changes_and_items_arrive_late(corpus):
    items = corpus.interactions["item_id"].to_pylist()
    third = len(items) // 3
    early, late = items[:third], items[2 * third :]
    best = [{item for item, _ in _most_common(part, 20)} for part in (early, late)]
    assert len(best[0] & best[1]) < 15
    assert len(set(late) - set(early)) > 30


def _most_common(items: list[str], k: int) -> list[tuple[str, int]]:
    counts = pc.value_counts(pa.array(items)).to_pylist()
    ranked = sorted(counts, key=lambda entry: (-entry["counts"], str(entry["values"])))
    return [(entry["values"], entry["counts"]) for entry in ranked[:k]]


def test_a_shop_too_small_is_refused():
    with pytest.raises(ValueError, match="n_users >= 20 and n_items >= 40"):
        embedded_corpus(n_users=5)


def test_what_was_bought_last_predicts_better_than_popularity(corpus):
    tables = ingest(*(Source(name, table=getattr(corpus, name)) for name in ("interactions", "items", "users")))
    train = tables.interactions.filter(pc.equal(tables.interactions["split"], 0))
    users, items = train["user_id"].to_numpy(), train["item_id"].to_numpy()
    follows = np.zeros((600, 600))
    same_user = users[:-1] == users[1:]
    np.add.at(follows, (items[:-1][same_user], items[1:][same_user]), 1.0)
    popularity = np.bincount(items, minlength=600).astype(float)
    follows /= np.sqrt(popularity + 1)
    test = tables.samples.filter(pc.equal(tables.samples["split"], 2))
    last = np.array([history[-1] if history else -1 for history in test["history"].to_pylist()])
    scores = np.where(last[:, None] >= 0, follows[last], 0.0) + 1e-6 * popularity
    after_last = _recall(test, scores)
    most_popular = _recall(test, np.broadcast_to(popularity, scores.shape))
    assert 0.02 < most_popular
    assert 1.5 * most_popular < after_last < 0.5


def _recall(test: pa.Table, scores: np.ndarray) -> float:
    block = torch.from_numpy(np.ascontiguousarray(scores, dtype=np.float32))
    seen = test["history"].combine_chunks()
    top, _ = top_items_from(lambda rows: block[rows], len(block), 10, seen=seen)
    return float(np.nanmean(ranking_metrics(top, test["targets"].to_pylist(), ks=(10,))["recall@10"]))
