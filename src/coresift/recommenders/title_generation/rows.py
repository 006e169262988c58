"""Prompts with their titles, and which tokens count in the loss."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from coresift.attribution import NOT_SCORED
from coresift.recommenders.batches import Batch, SampleRows, integer_column
from coresift.recommenders.tokens import RaggedIntegers


class TitleRows(SampleRows):
    """Prompt and response as one sequence, padded in front, so that all responses end in the last column.

    Args:
        prompts: Table ``prompts``.
        titles: Title of every item; row = item id.
        loss_on: ``response`` scores the title's tokens alone, ``all`` every token but the first.
        padding: Token id in front of shorter sequences.
        weights: (N,) weight of every sample; 1 by default.

    Raises:
        ValueError: If a response is not the title of the sample's target.
    """

    def __init__(
        self, prompts: pa.Table, titles: list[str], *, loss_on: str, padding: int, weights: Tensor | None = None
    ) -> None:
        _check_responses(prompts, titles)
        tokens = RaggedIntegers.from_arrow(prompts["input_ids"], padding=padding)
        super().__init__(prompts, tokens, weights=weights, left=True)
        lengths = torch.from_numpy(tokens.lengths)
        self.scored = lengths - integer_column(prompts, "prompt_length") if loss_on == "response" else lengths - 1

    def own_tensors(self, rows: Tensor) -> Batch:
        """Labels (B, T): the token ids where they are scored, else -100."""
        input_ids, _ = self.tokens.padded(rows, left=True)
        from_the_end = torch.arange(input_ids.shape[1]).flip(0)
        return {"labels": input_ids.masked_fill(from_the_end >= self.scored[rows].unsqueeze(1), NOT_SCORED)}


def _check_responses(prompts: pa.Table, titles: list[str]) -> None:
    targets = np.asarray(prompts["target_id"], dtype=np.int64).tolist()
    for sample, target, response in zip(prompts["sample_id"], targets, prompts["response"].to_pylist(), strict=True):
        if response != titles[target]:
            raise ValueError(
                f"prompts: sample {sample.as_py()} is answered by '{response}', not by its target's title "
                f"'{titles[target]}': let prompting.templates.response be {{{{ target.title }}}} and run the prompting "
                "pipeline again"
            )
