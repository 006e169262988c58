from __future__ import annotations

import pytest
from toy_samples import chat_tokenizer, decoder_tokenizer, encoder_tokenizer


@pytest.fixture(scope="session")
def decoder():
    return decoder_tokenizer()


@pytest.fixture(scope="session")
def encoder():
    return encoder_tokenizer()


@pytest.fixture(scope="session")
def chat():
    return chat_tokenizer()
