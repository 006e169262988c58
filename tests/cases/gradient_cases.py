from __future__ import annotations

import torch
from peft import LoraConfig, get_peft_model
from recommender_cases import items_table, small_base_model

from coresift.recommenders import AdapterOptions, build_recommender

VOCABULARY = 50


def adapted(model, targets):
    """Add LoRA, and fill B so that both matrices have gradients."""
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.3, target_modules=targets))
    fill_b(model)
    return model.train()


def fill_b(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)


def dense_recommender(folder, kind="llama", targets=None):
    """The dense recommender on a tiny model whose adapter has gradients in both matrices."""
    base_model = small_base_model(folder / kind, kind)
    adapter = AdapterOptions(r=4, dropout=0.3, targets=targets)
    recommender = build_recommender("dense", base_model=base_model, items=items_table(), adapter=adapter, device="cpu")
    fill_b(recommender.model)
    return recommender


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


def gradients_one_by_one(model, batches, loss, select):
    """The oracle: one autograd backward a sample, dropout off; per sample the gradients by parameter name."""
    model.eval()
    parameters = {name: parameter for name, parameter in model.named_parameters() if select(name)}
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    samples = []
    for batch in batches:
        for row in range(len(batch["input_ids"])):
            found = torch.autograd.grad(loss(model, batch)[row], list(parameters.values()), allow_unused=True)
            samples.append({name: g for name, g in zip(parameters, found, strict=True) if g is not None})
    return samples


def norms_one_by_one(model, batches, loss, select):
    """Norms of the oracle's gradients."""
    samples = gradients_one_by_one(model, batches, loss, select)
    return torch.stack([sum(g.square().sum() for g in gradients.values()).sqrt() for gradients in samples])


def unpadded_samples(batches):
    """Every sample as a batch of its own, without padding."""
    for batch in batches:
        for row in range(len(batch["input_ids"])):
            real = batch["attention_mask"][row].bool()
            yield {name: tensor[row : row + 1, real] for name, tensor in batch.items()}


def library_loss(model, batch):
    """The loss as transformers computes it, for a batch of one unpadded sample."""
    return model(**batch).loss.unsqueeze(0)


def mean_state_loss(model, batch):
    """Couples no samples: distance of the mean state from a fixed point, over two calls of the model."""
    mask = batch["attention_mask"].unsqueeze(-1)
    first = (model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])[0] * mask).sum(1)
    second = model(input_ids=batch["input_ids"].flip(1), attention_mask=batch["attention_mask"].flip(1))[0][:, -1]
    return ((first + second) ** 2).mean(1)
