"""Click samples: a question about one item, and whether the answer is the positive one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from torch import Tensor

from coresift.recommenders.batches import Batch, SampleRows, integer_column
from coresift.recommenders.tokens import prompt_tokens


class ClickRows(SampleRows):
    """Prompts without their answers, and labels.

    Args:
        prompts: Table ``prompts``.
        answers: The positive and the negative answer, as the responses of the prompts must read.
        padding: Token id of cells without text.
        weights: (N,) weight of every sample; 1 by default.
        left: Pad in front of shorter prompts.

    Raises:
        ValueError: If a response is not the answer of its label.
    """

    def __init__(
        self,
        prompts: pa.Table,
        answers: tuple[str, str],
        *,
        padding: int,
        weights: Tensor | None = None,
        left: bool = False,
    ) -> None:
        _check_responses(prompts, answers)
        super().__init__(prompts, prompt_tokens(prompts, padding=padding), weights=weights, left=left)
        self.label = integer_column(prompts, "label").float()

    def own_tensors(self, rows: Tensor) -> Batch:
        """Return the labels (B,) float32: 1 for the positive answer."""
        return {"label": self.label[rows]}


def _check_responses(prompts: pa.Table, answers: tuple[str, str]) -> None:
    positive = np.asarray(prompts["label"], dtype=np.int64) == 1
    responses = np.array(prompts["response"].to_pylist(), dtype=object)
    wrong = responses != np.where(positive, *answers)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"prompts: sample {prompts['sample_id'][row].as_py()} with label {int(positive[row])} is answered by "
            f"'{responses[row]}', not by one of {answers}: run the prompting pipeline with recommender.name yes_no and "
            "the same recommender.yes_no.answers"
        )
