"""A tiny Llama with grouped-query attention, a personalized mixture on it, and two groups of users who disagree."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from coresift.personalization import RecLoraConfig, attach_reclora, bind_states

STATE_DIM = 12
VOCABULARY = 40
YES, NO = 5, 6


def tiny_llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    return LlamaForCausalLM(LlamaConfig(**shape, intermediate_size=48, vocab_size=VOCABULARY)).eval()


def with_random_bank(model):
    """B starts at zero, where every mixture is the base model: draw it."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3, generator=generator)
    return model


def mixture(**options):
    config = RecLoraConfig(**{"n_adapters": 3, "r": 2, "state_dim": STATE_DIM} | options)
    return with_random_bank(attach_reclora(tiny_llama(), config)).eval()


def some_states(count=4, seed=3):
    return torch.randn(count, STATE_DIM, generator=torch.Generator().manual_seed(seed)) * 3


def some_tokens(count=4, length=7, seed=4):
    return torch.randint(VOCABULARY, (count, length), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def logits(model, tokens, states=None):
    if states is None:
        return model(input_ids=tokens).logits
    with bind_states(model, states):
        return model(input_ids=tokens).logits


class OppositeGroups:
    """Two groups of users answer the same prompt oppositely; only the state tells the groups apart."""

    def __init__(self, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.directions = self.draw.normal(size=STATE_DIM)

    def batch(self, count):
        group = self.draw.integers(2, size=count)
        kind = self.draw.integers(2, size=count)
        tokens = self.draw.integers(10, VOCABULARY, size=(count, 6))
        tokens[:, 3] = 7 + kind
        states = np.outer(2 * group - 1, self.directions) + self.draw.normal(size=(count, STATE_DIM))
        return (
            torch.from_numpy(tokens),
            torch.from_numpy(states).float(),
            torch.from_numpy((group ^ kind).astype(np.float32)),
        )


def yes_minus_no(model, tokens):
    last = model(input_ids=tokens).logits[:, -1]
    return last[:, YES] - last[:, NO]


def auc_on_new_users(config: RecLoraConfig, *, states="own", steps=150, seed=0, learning_rate=5e-3) -> float:
    """Train on one draw of users and return the AUC on another.

    Args:
        config: Shape of the mixture; one adapter is plain LoRA.
        states: ``own``, ``none`` (the uniform gate) or ``shuffled`` among users.
        steps: Training steps.
        seed: Of users and weights.
        learning_rate: Of AdamW.
    """
    groups = OppositeGroups(seed)
    model = attach_reclora(tiny_llama(), config, random_state=seed).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate)
    for _ in range(steps):
        tokens, own, labels = groups.batch(32)
        with bind_states(model, seen_states(own, states, groups.draw)):
            loss = functional.binary_cross_entropy_with_logits(yes_minus_no(model, tokens), labels)
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    tokens, own, labels = groups.batch(512)
    with torch.no_grad(), bind_states(model, seen_states(own, states, groups.draw)):
        scores = yes_minus_no(model, tokens)
    return float(roc_auc_score(labels, scores))


def seen_states(own, states, draw):
    if states == "none":
        return None
    return own if states == "own" else own[torch.from_numpy(draw.permutation(len(own)))]
