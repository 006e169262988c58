"""What the surrogate's training saw of every training sample: difficulty, learning and forgetting."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from coresift.ranking import list_rows
from coresift.storage import SCHEMAS, TRAIN, VALID
from coresift.surrogate.objectives import reference_items, reference_losses
from coresift.surrogate.sasrec import SasRec
from coresift.surrogate.target_warm_up import target_loss_drops

CELLS_PER_BLOCK = 8_000_000
LEARNED_SHARE = 0.01
"""A sample counts as learned while its target is among this share of the reference items."""


def first_targets(samples: pa.Table) -> Tensor:
    """Return the first target (N,) of every sample.

    Raises:
        ValueError: A sample has no target.
    """
    rows, items = list_rows(samples["targets"])
    present, first = np.unique(rows, return_index=True)
    if len(present) != samples.num_rows:
        raise ValueError("samples holds a row without a target: run the ingestion pipeline again to rebuild it.")
    return torch.from_numpy(items[first])


class TrainingRecord:
    """Follows every training sample through the epochs; the model is only read."""

    def __init__(self, samples: pa.Table) -> None:
        self.samples = samples.filter(pc.equal(samples["split"], TRAIN))
        self.targets = first_targets(self.samples)
        self.validation = samples.filter(pc.equal(samples["split"], VALID))
        self.was_learned = np.zeros(len(self.targets), dtype=bool)
        self.n_forgotten = np.zeros(len(self.targets))

    def after_epoch(self, model: SasRec) -> None:
        """Record which samples lost the place they had.

        Args:
            model: The surrogate after an epoch.
        """
        learned = self._learned(model)
        self.n_forgotten += self.was_learned & ~learned
        self.was_learned = learned

    def table(self, model: SasRec) -> pa.Table:
        """Return `sample_scores`, one row per training sample.

        Columns: loss, the softmax cross-entropy over the whole catalogue; el2n, the L2 norm of the predicted
        probabilities minus the one-hot target (Paul et al., 2021, arXiv 2107.07075); grand, the L2 norm of the loss
        gradient with respect to the state (GraNd of the same paper, restricted to the last layer's input);
        forgetting, how many epochs ended with the target out of the best 1 % of the reference items after it had
        been inside (Toneva et al., 2019, arXiv 1812.05159); loss_drop, the share of the loss that a short warm-up on
        the validation samples takes away (`target_loss_drops`).

        Args:
            model: The surrogate with its best weights.
        """
        loss, el2n, grand = _exact_difficulty(model, self.samples, self.targets)
        columns = {
            "sample_id": self.samples["sample_id"],
            "loss": loss,
            "el2n": el2n,
            "grand": grand,
            "forgetting": self.n_forgotten,
            "loss_drop": self._loss_drop(model),
        }
        schema = SCHEMAS["sample_scores"]
        return pa.table({name: _column(columns[name], schema.field(name).type) for name in schema.names}, schema)

    @torch.no_grad()
    def _learned(self, model: SasRec) -> NDArray[np.bool_]:
        """Return whether every target is among the best reference items."""
        states = model.encode(self.samples["history"])
        vectors = model.item_vectors.detach().float().cpu()
        references = vectors[reference_items(len(vectors))]
        room = max(10, int(LEARNED_SHARE * len(references)))
        learned = []
        for block, targets in _blocks(states, self.targets, len(references)):
            positive = (block * vectors[targets]).sum(1, keepdim=True)
            learned.append((block @ references.T > positive).sum(1) < room)
        return torch.cat(learned).numpy()

    def _loss_drop(self, model: SasRec) -> Tensor:
        vectors = model.item_vectors.detach().float().cpu()
        return target_loss_drops(
            model.encode(self.samples["history"]),
            self.targets,
            model.encode(self.validation["history"]),
            first_targets(self.validation),
            lambda states, targets: reference_losses(states, vectors, targets),
        )


@torch.no_grad()
def _exact_difficulty(model: SasRec, samples: pa.Table, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return loss, el2n and grand (N,) over the whole catalogue, a block of samples at a time."""
    states = model.encode(samples["history"])
    vectors = model.item_vectors.detach().float().cpu()
    parts: list[Tensor] = []
    for block, wanted in _blocks(states, targets, len(vectors)):
        error = (block @ vectors.T).log_softmax(1)
        loss = -error.gather(1, wanted[:, None])[:, 0]
        error = error.exp_()
        error[torch.arange(len(wanted)), wanted] -= 1.0
        parts.append(torch.stack([loss, error.norm(dim=1), (error @ vectors).norm(dim=1)]))
    loss, el2n, grand = torch.cat(parts, dim=1)
    return loss, el2n, grand


def _blocks(states: Tensor, targets: Tensor, width: int) -> list[tuple[Tensor, Tensor]]:
    size = max(1, CELLS_PER_BLOCK // width)
    return list(zip(states.split(size), targets.split(size), strict=True))


def _column(values: object, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.ChunkedArray):
        return values.cast(kind)
    return pa.array(np.asarray(values), kind, safe=False)
