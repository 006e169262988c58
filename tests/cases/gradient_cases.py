from __future__ import annotations

import torch
from peft import LoraConfig, get_peft_model

VOCABULARY = 50


def adapted(model, targets):
    """Add LoRA, and fill B so that both matrices have gradients."""
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.3, target_modules=targets))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    return model.train()


def token_batch(lengths, *, side="right", seed=0):
    """Random tokens padded on one side, with the first two tokens of each sample not scored."""
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths)
    ids = torch.zeros(len(lengths), width, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for row, length in enumerate(lengths):
        columns = slice(0, length) if side == "right" else slice(width - length, width)
        tokens = torch.randint(1, VOCABULARY, (length,), generator=generator)
        ids[row, columns], mask[row, columns] = tokens, 1
        scored = tokens.clone()
        scored[:2] = -100
        labels[row, columns] = scored
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def norms_one_by_one(model, batches, loss, select):
    """The oracle: one autograd backward a sample, dropout off."""
    model.eval()
    parameters = [parameter for name, parameter in model.named_parameters() if select(name)]
    for parameter in parameters:
        parameter.requires_grad_(True)
    norms = []
    for batch in batches:
        for row in range(len(batch["input_ids"])):
            gradients = torch.autograd.grad(loss(model, batch)[row], parameters, allow_unused=True)
            norms.append(sum(g.square().sum() for g in gradients if g is not None).sqrt())
    return torch.stack(norms)
