from __future__ import annotations

import pytest
import torch
from gradient_cases import (
    VOCABULARY,
    adapted,
    dense_recommender,
    library_loss,
    mean_state_loss,
    norms_one_by_one,
    token_batch,
    unpadded_samples,
)
from mixture_cases import mixture
from peft import LoraConfig, get_peft_model
from recommender_cases import prompts_table
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from coresift.attribution import gradient_norms
from coresift.attribution.token_loss import mean_token_loss

LENGTHS = [5, 9, 3, 12, 7, 4, 8, 8, 10, 3, 6, 11, 5, 9, 4, 7]
TARGETS = {
    "llama": ["q_proj", "v_proj", "up_proj", "down_proj"],
    "bert": ["query", "value", "dense"],
}


def all_lora(name):
    return "lora_" in name


def in_batches(batch_size, side="right"):
    cuts = [LENGTHS[start : start + batch_size] for start in range(0, 16, batch_size)][:4]
    return [token_batch(cut, side=side, seed=number) for number, cut in enumerate(cuts)]


@pytest.fixture
def gpt2():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    return adapted(GPT2LMHeadModel(config), ["c_attn", "c_fc"])


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_norms_on_a_causal_model_equal_autograd_of_each_sample_alone(request, kind, side, batch_size):
    model, batches = request.getfixturevalue(kind), in_batches(batch_size, side)
    oracle = norms_one_by_one(model, unpadded_samples(batches), library_loss, all_lora)
    torch.testing.assert_close(gradient_norms(model, batches), oracle, rtol=1e-5, atol=0)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_norms_on_an_encoder_called_twice_equal_autograd(bert, side, batch_size):
    batches = in_batches(batch_size, side)
    oracle = norms_one_by_one(bert, batches, mean_state_loss, all_lora)
    torch.testing.assert_close(gradient_norms(bert, batches, loss=mean_state_loss), oracle, rtol=1e-5, atol=0)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_norms_on_an_encoder_decoder_equal_autograd(t5, side, batch_size):
    batches = in_batches(batch_size, side)
    oracle = norms_one_by_one(t5, batches, mean_token_loss, all_lora)
    torch.testing.assert_close(gradient_norms(t5, batches), oracle, rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", ["llama", "bert"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_norms_through_the_dense_loss_equal_autograd_on_attention_and_mlp(tmp_path, kind, batch_size):
    recommender = dense_recommender(tmp_path, kind, TARGETS[kind])
    batches = recommender.batches(prompts_table(16 if batch_size == 16 else 3), batch_size)
    norms = gradient_norms(recommender.model, batches, loss=recommender.sample_loss)
    oracle = norms_one_by_one(recommender.model, batches, recommender.sample_loss, all_lora)
    torch.testing.assert_close(norms, oracle, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("model", "matrix"),
    [("llama", "layers.1.self_attn.v_proj.lora_B"), ("t5", "decoder.block.1.layer.0.SelfAttention.v.lora_B")],
)
def test_the_papers_matrix_is_the_last_value_projection(request, model, matrix):
    model = request.getfixturevalue(model)
    batches = [token_batch(LENGTHS)]
    oracle = norms_one_by_one(model, batches, mean_token_loss, lambda name: matrix in name)
    torch.testing.assert_close(gradient_norms(model, batches, "last_lora_b"), oracle, rtol=1e-5, atol=0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_norms_of_the_models_own_linears_equal_autograd(llama, side):
    batches = [token_batch(LENGTHS, side=side), token_batch([40, 38, 40], side=side)]
    oracle = norms_one_by_one(
        llama,
        batches,
        mean_token_loss,
        lambda name: "base_layer" in name or "_proj.weight" in name or "lm_head" in name,
    )
    torch.testing.assert_close(gradient_norms(llama, batches, "linear"), oracle, rtol=1e-5, atol=0)


def test_a_head_that_shares_the_embedding_is_no_linear_of_its_own(gpt2):
    batches = [token_batch([6, 4])]
    with pytest.raises(ValueError, match="no Linear layer of its own"):
        gradient_norms(gpt2, batches, "linear")


def test_norms_in_bfloat16_are_those_in_float32_to_its_precision(llama):
    batches = [token_batch(LENGTHS)]
    exact = gradient_norms(llama, batches)
    rough = gradient_norms(llama.bfloat16(), batches)
    assert rough.dtype is torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0)


def test_padding_and_company_do_not_matter(llama):
    together = gradient_norms(llama, [token_batch([4, 4])])
    wide = {name: torch.nn.functional.pad(tensor, (0, 9)) for name, tensor in token_batch([4, 4]).items()}
    wide["labels"][:, 4:] = -100
    torch.testing.assert_close(gradient_norms(llama, [wide]), together, rtol=1e-5, atol=0)


def test_logits_are_made_where_some_sample_is_scored_only(llama):
    batch, widths = token_batch([12, 9], side="left"), []
    batch["labels"][:, :-3] = -100
    llama.get_output_embeddings().register_forward_hook(lambda *parts: widths.append(parts[2].shape[1]))
    norms = gradient_norms(llama, [batch])
    assert widths == [3]
    oracle = norms_one_by_one(llama, unpadded_samples([batch]), library_loss, all_lora)
    torch.testing.assert_close(norms, oracle, rtol=1e-5, atol=0)


def test_a_sample_without_a_scored_token_has_no_gradient(llama):
    batch = token_batch([6, 5])
    batch["labels"][1] = -100
    norms = gradient_norms(llama, [batch])
    assert norms[0] > 0
    assert norms[1] == 0


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
    with pytest.raises(ValueError, match="lora, last_lora_b, linear"):
        gradient_norms(llama, [batch], "all")
    with pytest.raises(ValueError, match="pass a loss"):
        gradient_norms(bert, [batch])
    with pytest.raises(ValueError, match="unreduced"):
        gradient_norms(llama, [batch], loss=lambda model, given: mean_token_loss(model, given).mean())
    with pytest.raises(ValueError, match="no LoRA adapter"):
        gradient_norms(BertModel(BertConfig(hidden_size=8, num_attention_heads=1, num_hidden_layers=1)), [batch])


def start_of(kind):
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=1)
    config.num_attention_heads = config.num_key_value_heads = 4
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], use_dora=kind == "dora")
    return get_peft_model(LlamaForCausalLM(config), lora).eval()


def test_dora_starts_with_the_gradients_of_lora_and_is_not_measured_itself():
    batches, norms = in_batches(16), []
    for kind in ("lora", "dora"):
        torch.manual_seed(1)
        norms.append(norms_one_by_one(start_of(kind), unpadded_samples(batches), library_loss, all_matrices))
    torch.testing.assert_close(*norms, rtol=1e-5, atol=0)
    with pytest.raises(ValueError, match=r"plain LoRA \(use_dora false\) has the same ones at its start"):
        gradient_norms(start_of("dora"), batches)


def all_matrices(name):
    return ".lora_A." in name or ".lora_B." in name


def test_a_mixture_of_weights_is_not_measured():
    with pytest.raises(ValueError, match="use mix 'output', or a plain LoRA"):
        gradient_norms(mixture(mix="weight"), in_batches(16))
