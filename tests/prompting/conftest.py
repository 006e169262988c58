from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
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
