"""Light aliases for annotations that Kedro must resolve without importing heavy libraries.

Kedro switches typed parameters off for a node as soon as one of its annotations cannot be resolved at run time, so a
node may not annotate with a name that exists under ``TYPE_CHECKING`` only. These names always exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure
    from torch import Tensor

    Table = pa.Table
    TensorDict = dict[str, Tensor]
else:
    Table = Any
    TensorDict = dict
    Figure = Any

__all__ = ["Figure", "Table", "TensorDict"]
