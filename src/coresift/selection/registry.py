"""Selectors by the name that the parameter `selection.method` uses."""

from __future__ import annotations

from collections.abc import Callable

from coresift.selection.dealrec_selector import DealrecSelector
from coresift.selection.goracs_selector import GoracsSelector
from coresift.selection.random_selector import RandomSelector
from coresift.selection.selector import Selector

SELECTORS: dict[str, Callable[..., Selector]] = {
    "goracs": GoracsSelector,
    "dealrec": DealrecSelector,
    "random": RandomSelector,
}
