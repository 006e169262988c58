"""Two groups of users answer the same prompt oppositely: only a personalized adapter can follow both, in 150 steps."""

from __future__ import annotations

import pytest
from mixture_cases import STATE_DIM, auc_on_new_users

from coresift.personalization import RecLoraConfig

BANK = {"n_adapters": 4, "r": 2, "state_dim": STATE_DIM}


@pytest.mark.parametrize("mix", ["output", "weight"])
def test_the_gate_learns_who_is_who(mix):
    assert auc_on_new_users(RecLoraConfig(**BANK, mix=mix)) > 0.95


def test_plain_lora_of_the_whole_rank_cannot():
    assert auc_on_new_users(RecLoraConfig(n_adapters=1, r=8, lora_alpha=16, state_dim=STATE_DIM)) < 0.6


@pytest.mark.parametrize("states", ["none", "shuffled"])
def test_without_the_right_states_it_cannot_either(states):
    assert auc_on_new_users(RecLoraConfig(**BANK), states=states) < 0.6
