"""Texts as short dense vectors by latent semantic analysis: TF-IDF weights, then a truncated SVD."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

logger = logging.getLogger(__name__)

_MAX_FEATURES = 50_000
_WORDS = r"(?u)\b\w+\b"
"""Every run of letters and digits counts, a single digit too: it tells the parts of a series apart."""


def latent_semantic_vectors(
    texts: Sequence[str], *, fit_texts: Sequence[str], dimensions: int, random_state: int
) -> NDArray[np.float32]:
    """Return one vector per text from its words and pairs of words.

    Args:
        texts: Texts to embed.
        fit_texts: Texts that vocabulary, weights and directions are learned from.
        dimensions: Length of a vector; shorter where there are fewer texts or words to learn from.
        random_state: Seed of the randomised SVD.

    Returns:
        (N, d) float32, not normalized; a text without a known word is zero.

    Raises:
        ValueError: If no text to learn from holds a word.
    """
    vectorizer = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), token_pattern=_WORDS, max_features=_MAX_FEATURES, dtype=np.float32
    )
    try:
        known = vectorizer.fit_transform(fit_texts)
    except ValueError as error:
        raise ValueError("no text holds a word to embed: check the titles of the items and the prompts") from error
    if known.shape[1] == 1:  # a single word needs no directions, and the SVD refuses it
        return vectorizer.transform(texts).toarray()
    svd = TruncatedSVD(min(dimensions, *known.shape), random_state=random_state).fit(known)
    logger.info(
        "%d directions keep %.0f %% of the variance of %d words and pairs in %d texts.",
        svd.components_.shape[0],
        100 * svd.explained_variance_ratio_.sum(),
        *reversed(known.shape),
    )
    return svd.transform(known if fit_texts is texts else vectorizer.transform(texts)).astype(np.float32)
