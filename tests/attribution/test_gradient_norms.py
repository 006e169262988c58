from __future__ import annotations

import pytest
import torch
from gradient_cases import norms_one_by_one, token_batch
from transformers import BertConfig, BertModel

from coresift.attribution import gradient_norms
from coresift.attribution.token_loss import mean_token_loss

LENGTHS = [5, 9, 3, 12, 7, 4, 8, 8, 10, 3, 6, 11, 5, 9, 4, 7]


def all_lora(name):
    return "lora_" in name


def mean_state_loss(model, batch):
    """Couples no samples: distance of the mean state from a fixed point, over two calls of the model."""
    mask = batch["attention_mask"].unsqueeze(-1)
    first = (model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])[0] * mask).sum(1)
    second = model(input_ids=batch["input_ids"].flip(1), attention_mask=batch["attention_mask"].flip(1))[0][:, -1]
    return ((first + second) ** 2).mean(1)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_norms_equal_autograd_on_a_causal_model(llama, side, batch_size):
    cuts = [LENGTHS[start : start + batch_size] for start in range(0, 16, batch_size)][:4]
    batches = [token_batch(cut, side=side, seed=number) for number, cut in enumerate(cuts)]
    torch.testing.assert_close(
        gradient_norms(llama, batches),
        norms_one_by_one(llama, batches, mean_token_loss, all_lora),
        rtol=1e-5,
        atol=0,
    )


@pytest.mark.parametrize("batch_size", [1, 16])
def test_norms_equal_autograd_on_an_encoder_called_twice(bert, batch_size):
    batches = [token_batch(LENGTHS[:batch_size])]
    torch.testing.assert_close(
        gradient_norms(bert, batches, loss=mean_state_loss),
        norms_one_by_one(bert, batches, mean_state_loss, all_lora),
        rtol=1e-5,
        atol=0,
    )


def test_norms_equal_autograd_on_an_encoder_decoder(t5):
    batches = [token_batch(LENGTHS)]
    oracle = norms_one_by_one(t5, batches, mean_token_loss, all_lora)
    torch.testing.assert_close(gradient_norms(t5, batches), oracle, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("model", "matrix"),
    [("llama", "layers.1.self_attn.v_proj.lora_B"), ("t5", "decoder.block.1.layer.0.SelfAttention.v.lora_B")],
)
def test_the_papers_matrix_is_the_last_value_projection(request, model, matrix):
    model = request.getfixturevalue(model)
    batches = [token_batch(LENGTHS)]
    oracle = norms_one_by_one(model, batches, mean_token_loss, lambda name: matrix in name)
    torch.testing.assert_close(gradient_norms(model, batches, "last_lora_b"), oracle, rtol=1e-5, atol=0)


def test_padding_and_company_do_not_matter(llama):
    together = gradient_norms(llama, [token_batch([4, 4])])
    wide = {name: torch.nn.functional.pad(tensor, (0, 9)) for name, tensor in token_batch([4, 4]).items()}
    wide["labels"][:, 4:] = -100
    torch.testing.assert_close(gradient_norms(llama, [wide]), together, rtol=1e-5, atol=0)


def test_the_model_comes_back_as_it_was(llama):
    needing = [name for name, parameter in llama.named_parameters() if parameter.requires_grad]
    gradient_norms(llama, [token_batch([4, 6])])
    assert llama.training
    assert [name for name, parameter in llama.named_parameters() if parameter.requires_grad] == needing
    assert all(parameter.grad is None for parameter in llama.parameters())


def test_packed_batches_are_refused(llama):
    packed = token_batch([6])
    packed["position_ids"] = torch.tensor([[0, 1, 2, 0, 1, 2]])
    with pytest.raises(ValueError, match="packed"):
        gradient_norms(llama, [packed])


def test_flattened_batches_are_refused(llama):
    def flattened(model, batch):
        logits = model(input_ids=batch["input_ids"].reshape(1, -1)).logits
        return logits.reshape(2, -1).float().mean(1)

    with pytest.raises(ValueError, match="1 rows for 2 samples"):
        gradient_norms(llama, [token_batch([5, 5])], loss=flattened)


def test_clear_errors(llama, bert):
    batch = token_batch([4, 4])
    with pytest.raises(ValueError, match="lora, last_lora_b"):
        gradient_norms(llama, [batch], "all")
    with pytest.raises(ValueError, match="pass a loss"):
        gradient_norms(bert, [batch])
    with pytest.raises(ValueError, match="unreduced"):
        gradient_norms(llama, [batch], loss=lambda model, given: mean_token_loss(model, given).mean())
    with pytest.raises(ValueError, match="no LoRA adapter"):
        gradient_norms(BertModel(BertConfig(hidden_size=8, num_attention_heads=1, num_hidden_layers=1)), [batch])
