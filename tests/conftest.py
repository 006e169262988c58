"""Shared fixtures: the project's root, quiet libraries, the real corpus where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.update(
    KEDRO_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="Agg"
)

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def games_folder() -> Path:
    """The Amazon Games corpus, which is not part of the project."""
    folder = ROOT.parent / "shared" / "data" / "games"
    if not folder.is_dir():
        pytest.skip("the Games corpus is not at hand")
    return folder


@pytest.fixture(scope="session")
def movielens_folder() -> Path:
    """MovieLens 100K, which is not part of the project."""
    folder = ROOT.parent / "shared" / "data" / "ml-100k"
    if not folder.is_dir():
        pytest.skip("MovieLens 100K is not at hand")
    return folder
