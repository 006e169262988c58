"""Personalization: a bank of small LoRAs, mixed per user by gates that read the surrogate's states (RecLoRA)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coresift.doors import opened_when_used

if TYPE_CHECKING:
    from coresift.personalization.exports import DataDirectoryExports
    from coresift.personalization.gate_training import gate_statistics, split_gate_rate
    from coresift.personalization.mixture_layer import bind_states
    from coresift.personalization.mixture_options import RecLoraConfig
    from coresift.personalization.plain_lora import export_plain_lora
    from coresift.personalization.reclora_model import (
        RecLoraModel,
        attach_reclora,
        check_surrogate,
        is_reclora,
        load_reclora,
        saved_config,
    )
    from coresift.personalization.sample_states import SampleStates
    from coresift.personalization.saved_mixture import SavedMixture
    from coresift.personalization.shares_of_users import cluster_users, user_gates, user_shares
    from coresift.personalization.user_removal import Forgotten, forget_user
else:
    __getattr__ = opened_when_used(__name__)

__all__ = [
    "DataDirectoryExports",
    "Forgotten",
    "RecLoraConfig",
    "RecLoraModel",
    "SampleStates",
    "SavedMixture",
    "attach_reclora",
    "bind_states",
    "check_surrogate",
    "cluster_users",
    "export_plain_lora",
    "forget_user",
    "gate_statistics",
    "is_reclora",
    "load_reclora",
    "saved_config",
    "split_gate_rate",
    "user_gates",
    "user_shares",
]
