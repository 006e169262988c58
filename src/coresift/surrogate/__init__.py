"""The surrogate: a small, fast recommender whose states and losses stand in for those of the language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coresift.doors import opened_when_used

if TYPE_CHECKING:
    from coresift.surrogate.din import Din, DinConfig
    from coresift.surrogate.din_training import train_click_surrogate, train_din
    from coresift.surrogate.options import DinOptions, OutOfFoldOptions, SurrogateModel, SurrogateOptions
    from coresift.surrogate.out_of_fold import Alignment, align_states, out_of_fold_states
    from coresift.surrogate.sample_batches import (
        ClickBatches,
        SurrogateBatches,
        influence_batches,
        sample_losses,
        surrogate_batches,
    )
    from coresift.surrogate.sasrec import SasRec, SasRecConfig
    from coresift.surrogate.stored_surrogate import (
        OF_IMPRESSIONS,
        Surrogate,
        din_states,
        item_vectors,
        load_surrogate,
        save_surrogate,
        surrogate_fingerprint,
        surrogate_states,
    )
    from coresift.surrogate.surrogate_kinds import surrogate_kind, surrogate_trainer
    from coresift.surrogate.training import TrainedSurrogate, train_surrogate
else:
    __getattr__ = opened_when_used(__name__)

__all__ = [
    "OF_IMPRESSIONS",
    "Alignment",
    "ClickBatches",
    "Din",
    "DinConfig",
    "DinOptions",
    "OutOfFoldOptions",
    "SasRec",
    "SasRecConfig",
    "Surrogate",
    "SurrogateBatches",
    "SurrogateModel",
    "SurrogateOptions",
    "TrainedSurrogate",
    "align_states",
    "din_states",
    "influence_batches",
    "item_vectors",
    "load_surrogate",
    "out_of_fold_states",
    "sample_losses",
    "save_surrogate",
    "surrogate_batches",
    "surrogate_fingerprint",
    "surrogate_kind",
    "surrogate_states",
    "surrogate_trainer",
    "train_click_surrogate",
    "train_din",
    "train_surrogate",
]
