"""The adapted layer and its gates against plain loops, and against peft's own layers."""

from __future__ import annotations

import pytest
import torch
from mixture_cases import STATE_DIM, logits, mixture, some_states, some_tokens, tiny_llama, with_random_bank
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import GPT2Config, GPT2Model

from coresift.personalization import RecLoraConfig, attach_reclora, bind_states
from coresift.personalization.mixture_layer import MixtureLinear

GATES = ["per_module", "shared_trunk", "shared"]


def layers_of(model):
    return [module for module in model.modules() if isinstance(module, MixtureLinear)]


def bank_of(layer, count):
    down = layer.lora_A["default"].weight.chunk(count, dim=0)
    up = layer.lora_B["default"].weight.chunk(count, dim=1)
    return down, up


@torch.no_grad()
def looped_update(layer, x, shares, mix):
    """The update of every sample, one adapter after another; x is (B, T, d)."""
    down, up = bank_of(layer, shares.shape[1])
    scale = layer.lora_alpha["default"] / len(down[0])
    updates = []
    for rows, share in zip(x, shares, strict=True):
        if mix == "output":
            weight = sum(part * b @ a for part, a, b in zip(share, down, up, strict=True))
        else:
            weight = sum(part * b for part, b in zip(share, up, strict=True)) @ sum(
                part * a for part, a in zip(share, down, strict=True)
            )
        updates.append(rows @ weight.T * scale)
    return torch.stack(updates)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("square_root", [False, True])
@pytest.mark.parametrize("mix", ["output", "weight"])
def test_a_layer_equals_a_loop_over_its_adapters(mix, square_root, gate):
    model = mixture(mix=mix, square_root=square_root, gate=gate)
    states, x = some_states(), torch.randn(4, 5, 32)
    shares = model.gates.all_shares(states)
    for position, layer in enumerate(layers_of(model)):
        with bind_states(model, states), torch.no_grad():
            update = layer(x) - layer.base_layer(x)
        used = shares[:, position].sqrt() if square_root else shares[:, position]
        torch.testing.assert_close(update, looped_update(layer, x, used, mix), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(shares.sum(-1), torch.ones(4, 4))
    assert (shares[0] - shares[1]).abs().max() > 1e-3
    assert torch.equal(shares[:, 0], shares[:, 1]) == (gate == "shared")


@pytest.mark.parametrize("mix", ["output", "weight"])
def test_a_mixed_batch_equals_its_samples_alone_in_any_order(mix):
    model = mixture(mix=mix)
    tokens, states = some_tokens(), some_states()
    together = logits(model, tokens, states)
    alone = torch.cat([logits(model, tokens[[row]], states[[row]]) for row in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(logits(model, tokens[order], states[order]), together[order], rtol=1e-5, atol=1e-5)
    assert (logits(model, tokens, states[order]) - together).abs().max() > 1e-3


def test_a_fresh_mixture_is_the_base_model_and_trains_bank_and_gates_only():
    tokens = some_tokens()
    model = attach_reclora(tiny_llama(), RecLoraConfig(state_dim=STATE_DIM))
    assert torch.equal(logits(model, tokens, some_states()), logits(tiny_llama(), tokens))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, _ in model.named_parameters() if "lora_" in name or name.startswith("gates.")}
    with model.disable_adapter(), bind_states(with_random_bank(model), some_states()):
        assert torch.equal(model(input_ids=tokens).logits, logits(tiny_llama(), tokens))


@pytest.mark.parametrize("mix", ["output", "weight"])
def test_without_states_the_shares_are_equal(mix):
    model = mixture(mix=mix)
    tokens = some_tokens()
    unbound = logits(model, tokens)
    with bind_states(model, None), torch.no_grad():
        assert torch.equal(model(input_ids=tokens).logits, unbound)
    nobody = torch.full((4, STATE_DIM), torch.nan)
    torch.testing.assert_close(logits(model, tokens, nobody), unbound, rtol=1e-5, atol=1e-5)
    mixed = some_states()
    mixed[1] = torch.nan
    some = logits(model, tokens, mixed)
    torch.testing.assert_close(some[1], unbound[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(some[2], logits(model, tokens, some_states())[2], rtol=1e-5, atol=1e-5)
    model.train()
    with bind_states(model, mixed):
        model(input_ids=tokens, labels=tokens).loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.gates.parameters())


@pytest.mark.parametrize("mix", ["output", "weight"])
def test_one_adapter_is_plain_lora(mix):
    model = mixture(mix=mix, n_adapters=1, r=4)
    plain = get_peft_model(tiny_llama(), LoraConfig(r=4, lora_alpha=8)).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    tokens = some_tokens()
    torch.testing.assert_close(logits(model, tokens, some_states()), logits(plain, tokens), rtol=1e-5, atol=1e-5)


def gradients(model, states, **checkpointing):
    model.train().zero_grad()
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=checkpointing)
    tokens = some_tokens()
    with bind_states(model, states):
        loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
        loss.backward()
    return loss.detach(), {name: value.grad for name, value in model.named_parameters() if value.requires_grad}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("mix", ["output", "weight"])
def test_gradient_checkpointing_changes_nothing(mix, reentrant):
    loss, expected = gradients(mixture(mix=mix), some_states())
    again, found = gradients(mixture(mix=mix), some_states(), use_reentrant=reentrant)
    torch.testing.assert_close(again, loss)
    torch.testing.assert_close(found, expected)
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in expected.values())


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_checkpointed_passes_of_different_users_share_one_backward():
    def losses(**checkpointing):
        model = mixture().train()
        if checkpointing:
            model.enable_input_require_grads()
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=checkpointing)
        with bind_states(model, some_states()):
            first = model(input_ids=some_tokens(), use_cache=False).logits.square().mean()
            with bind_states(model, None):
                second = model(input_ids=some_tokens(9), use_cache=False).logits.square().mean()
        (first + second).backward()
        return [parameter.grad for parameter in model.gates.parameters()]

    torch.testing.assert_close(losses(use_reentrant=False), losses())


def test_a_checkpoint_of_one_s_own_is_covered_by_the_block():
    model = mixture().train()
    layer = layers_of(model)[0]
    x, states = torch.randn(4, 5, 32, requires_grad=True), some_states()
    parameter = next(model.gates.parameters())
    with bind_states(model, states):
        (plain,) = torch.autograd.grad(layer(x).square().sum(), parameter, retain_graph=False)
        (again,) = torch.autograd.grad(checkpoint(layer, x, use_reentrant=False).square().sum(), parameter)
    torch.testing.assert_close(again, plain)


def test_rows_of_one_sample_follow_one_another():
    model = mixture()
    tokens, states = some_tokens(), some_states()
    beams = logits(model, tokens.repeat_interleave(3, dim=0), states)
    torch.testing.assert_close(beams[::3], logits(model, tokens, states), rtol=1e-5, atol=1e-5)
    found = model_generate(model, tokens, states)
    assert len(found) == 4 and torch.equal(found[[1]], model_generate(model, tokens[[1]], states[[1]]))


@torch.no_grad()
def model_generate(model, tokens, states):
    with bind_states(model, states):
        return model.generate(input_ids=tokens, num_beams=3, max_new_tokens=3, do_sample=False, pad_token_id=0)


def test_a_layer_that_sees_flattened_tokens_mixes_by_sample():
    model = mixture()
    layer = layers_of(model)[0]
    x = torch.randn(4, 5, 32)
    with bind_states(model, some_states()), torch.no_grad():
        torch.testing.assert_close(layer(x.flatten(0, 1)), layer(x).flatten(0, 1), rtol=1e-5, atol=1e-5)


class PackedLinear(nn.Linear):
    """Stands for a 4-bit layer: its weight is packed bytes, only its forward pass makes sense."""

    def __init__(self, linear):
        super().__init__(linear.in_features, linear.out_features, bias=False)
        self.scale = linear.weight.detach().abs().max() / 7
        codes = (linear.weight.detach() / self.scale).round().to(torch.int8) + 8
        packed = (codes[:, ::2] * 16 + codes[:, 1::2]).to(torch.uint8).reshape(-1, 1)
        self.weight = nn.Parameter(packed, requires_grad=False)

    def forward(self, x):
        codes = torch.stack([self.weight // 16, self.weight % 16], dim=-1).reshape(self.out_features, -1)
        return nn.functional.linear(x, (codes.to(x.dtype) - 8) * self.scale)


def test_a_base_of_packed_4_bit_weights_is_tuned_but_not_merged():
    base = tiny_llama()
    for block in base.model.layers:
        block.self_attn.q_proj = PackedLinear(block.self_attn.q_proj)
        block.self_attn.v_proj = PackedLinear(block.self_attn.v_proj)
    model = with_random_bank(attach_reclora(base, RecLoraConfig(state_dim=STATE_DIM))).train()
    assert next(iter(layers_of(model))).lora_A["default"].weight.dtype == torch.float32
    with bind_states(model, some_states()):
        model(input_ids=some_tokens(), labels=some_tokens()).loss.backward()
    assert all(value.grad.abs().max() > 0 for value in model.parameters() if value.requires_grad)
    with pytest.raises(ValueError, match="cannot be merged: export the LoRA of one user"):
        model.merge_and_unload()


def test_layers_that_are_no_linear_of_torch_are_mixed_too():
    torch.manual_seed(0)
    base = GPT2Model(GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=40)).eval()
    model = with_random_bank(attach_reclora(base, RecLoraConfig(state_dim=STATE_DIM, target_modules=["c_attn"])))
    with torch.no_grad(), bind_states(model, some_states()):
        mixed = model(input_ids=some_tokens()).last_hidden_state
    with torch.no_grad(), bind_states(model, None):
        assert (model(input_ids=some_tokens()).last_hidden_state - mixed).abs().max() > 1e-4


def test_a_gate_without_hidden_layer_is_a_linear_softmax_as_in_ilora():
    model = mixture(gate="per_module", gate_hidden=0, temperature=2.0)
    states = some_states()
    for position, network in enumerate(model.gates.networks):
        expected = (states @ network.weight[0].T / 2).softmax(-1)
        torch.testing.assert_close(model.gates(states, position), expected)
    tasks = torch.eye(STATE_DIM)[[0, 3, 3, 1]]
    shares = model.gates(tasks, 0)
    assert torch.equal(shares[1], shares[2]) and not torch.equal(shares[0], shares[1])


def test_clear_errors():
    model = mixture()
    with pytest.raises(ValueError, match="3 states are bound, but the batch has 4 rows"):
        logits(model, some_tokens(), some_states(3))
    with pytest.raises(ValueError, match=r"shape \(4, 5\), but the gates read \(samples, 12\)"):
        logits(model, some_tokens(), torch.zeros(4, 5))
    with pytest.raises(ValueError, match="wrap forward and backward in bind_states"):
        model.train()(input_ids=some_tokens())
    with pytest.raises(ValueError, match="not personalised; attach_reclora"), bind_states(tiny_llama(), None):
        pass
    with pytest.raises(ValueError, match="mix is 'both': use one of output, weight"):
        RecLoraConfig(mix="both")
    with pytest.raises(ValueError, match="gate is 'all': use one of per_module"):
        RecLoraConfig(gate="all")
    with pytest.raises(ValueError, match="n_adapters is 0: it must be at least 1"):
        RecLoraConfig(n_adapters=0)
    with pytest.raises(ValueError, match="temperature is 0: it must be above 0"):
        RecLoraConfig(temperature=0)
