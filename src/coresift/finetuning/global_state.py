"""Global state that the trainer needs: random generators and the library's log level, given back as they were."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from transformers.utils import logging as transformers_logging

from coresift.foundation import without_progress_bars


@contextmanager
def global_random_state(seed: int) -> Iterator[None]:
    """Seed Python's, numpy's and torch's global generators for the length of a block."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state to restore
    with torch.random.fork_rng():
        try:
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002 - transformers draws from it
            torch.manual_seed(seed)
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Let transformers report errors only and draw no bars of its own, for the length of a block."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        with without_progress_bars():
            yield
    finally:
        transformers_logging.set_verbosity(level)
