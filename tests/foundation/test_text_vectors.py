from __future__ import annotations

import numpy as np
import pytest
import torch

from coresift.foundation import item_text_vectors, load_body, load_tokenizer, text_vectors


def test_tfidf_rows_are_units_and_repeatable(items):
    texts = items["text"].to_pylist()
    vectors = text_vectors(texts, dimensions=12, random_state=0)
    assert vectors.dtype == np.float32
    assert vectors.shape == (120, 12)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(vectors, text_vectors(list(texts), dimensions=12, random_state=0))


def test_tfidf_puts_like_texts_together():
    texts = ["Halo 3 - Xbox", "Halo 2 - Xbox", "Farm Cup - PC", "Farm Cup II - PC"]
    vectors = text_vectors(texts, dimensions=4)
    similarity = vectors @ vectors.T
    assert similarity[0, 1] > 0.2 > abs(similarity[0, 2])
    assert not np.allclose(vectors[0], vectors[1]), "a single digit tells two parts of a series apart"


def test_tfidf_with_fewer_texts_or_words_than_dimensions():
    assert text_vectors(["one two", "three four"], dimensions=64).shape == (2, 2)
    assert text_vectors(["same", "same", "same"], dimensions=64).shape == (3, 1)


def test_tfidf_learns_from_other_texts_only(items):
    texts = items["text"].to_pylist()
    together = text_vectors(texts, fit_texts=texts[:80], dimensions=8)
    alone = text_vectors(texts[80:], fit_texts=texts[:80], dimensions=8)
    np.testing.assert_allclose(together[80:], alone, atol=1e-6)
    assert not text_vectors(["zzz"], fit_texts=texts, dimensions=8).any(), "nothing known: zero, not a number missing"


def test_no_words_at_all():
    with pytest.raises(ValueError, match="no text holds a word to embed"):
        text_vectors(["!!!", ""], dimensions=4)


@pytest.mark.parametrize("folder", ["encoder_folder", "trained_folder"])
def test_model_vectors_are_means_over_real_tokens(folder, request):
    """Batches and padding leave every row as it is alone."""
    folder = request.getfixturevalue(folder)
    texts = ["Ember Rally II - PC", "Iron", "Star Cup III - Pocketron Frost Farm", "Frost Siege"]
    vectors = text_vectors(texts, method=str(folder), device="cpu", batch_size=3)
    tokenizer, body = load_tokenizer(folder), load_body(folder)
    for text, vector in zip(texts, vectors, strict=True):
        with torch.inference_mode():
            states = body(input_ids=torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state[0]
        expected = torch.nn.functional.normalize(states.mean(0), dim=0).numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_method_that_is_no_model():
    with pytest.raises(ValueError, match="text vectors by a model: 'bm25' does not exist"):
        text_vectors(["a"], method="bm25")


def test_item_vectors_carry_their_ids(items):
    tensors = item_text_vectors(items, dimensions=6, random_state=0)
    assert list(tensors) == ["item_id", "vector"]
    assert tensors["item_id"].dtype == torch.int64
    assert tensors["item_id"].tolist() == list(range(120))
    assert tensors["vector"].shape == (120, 6)
