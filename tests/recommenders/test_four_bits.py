from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from recommender_cases import items_table, llama_config, prompts_table, small_tokenizer
from transformers import LlamaForCausalLM

from coresift.attribution import gradient_norms
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.foundation import quantization
from coresift.personalization import RecLoraConfig
from coresift.recommenders import AdapterOptions, build_recommender

needs_bitsandbytes = pytest.mark.skipif(
    not torch.cuda.is_available() or importlib.util.find_spec("bitsandbytes") is None,
    reason="four bits need a GPU and bitsandbytes",
)
RECOMMENDERS = ("dense", "title_generation")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Wider than the other small models: weights are quantized in blocks of 64."""
    folder, config = tmp_path_factory.mktemp("models") / "base", llama_config()
    config.hidden_size, config.intermediate_size, config.head_dim = 64, 128, 16
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    small_tokenizer().save_pretrained(folder)
    return folder


def built(base, name="dense", dtype="nf4", device="cuda", **options):
    return build_recommender(name, base_model=base, items=items_table(), device=device, dtype=dtype, **options)


def test_on_a_cpu_the_way_out_is_named(base):
    with pytest.raises(ValueError, match=r"needs a GPU of type cuda, not 'cpu': set dtype to auto"):
        built(base, device="cpu")


def test_without_bitsandbytes_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr(quantization, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'coresift\[quantization\]', or set dtype to auto"):
        quantization.check_four_bits(torch.device("cuda"))


@needs_bitsandbytes
def test_only_the_base_is_quantized(base):
    model = built(base, adapter=AdapterOptions(r=2)).model
    quantized = {name for name, parameter in model.named_parameters() if parameter.dtype == torch.uint8}
    assert len(quantized) == 14
    assert not any("lora" in name or "embed" in name for name in quantized)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert trained
    assert all(parameter.dtype.is_floating_point for parameter in trained)


@needs_bitsandbytes
@pytest.mark.parametrize("name", RECOMMENDERS)
def test_gradient_norms_are_near_those_of_the_whole_precision(base, name):
    prompts, norms = prompts_table(12), {}
    for dtype in ("float32", "nf4"):
        recommender = built(base, name, dtype, adapter=AdapterOptions(r=2, dropout=0.0))
        batches = recommender.batches(prompts, 4)
        norms[dtype] = gradient_norms(recommender.model, batches, "lora", recommender.sample_loss).cpu().numpy()
    assert np.corrcoef(norms["nf4"], norms["float32"])[0, 1] > 0.9


@needs_bitsandbytes
@pytest.mark.parametrize("name", RECOMMENDERS)
def test_an_adapter_on_it_is_trained_saved_and_loaded(base, name, tmp_path):
    prompts, ranked = prompts_table(48), []
    recommender = built(base, name, adapter=AdapterOptions(r=4, targets=["q_proj", "v_proj", "up_proj"]))
    options = FineTuningOptions(epochs=10, min_steps=0, learning_rate=0.01, batch_size=16, validation_samples=0)
    tuned = fine_tune(recommender, prompts, coreset=None, work_folder=tmp_path / "work", options=options)
    losses = [entry["loss"] for entry in tuned.log]
    assert sum(losses[-3:]) < sum(losses[:3])
    for model in (recommender, built(base, name, adapter_folder=tuned.folder)):
        ranked.append(model.rank(prompts_table(6, seed=1), 5))
    assert torch.equal(ranked[0][0], ranked[1][0])


@needs_bitsandbytes
def test_a_mixture_of_adapters_takes_it(base):
    mixture = RecLoraConfig(state_dim=3, n_adapters=2)
    recommender = built(base, adapter=AdapterOptions(r=2, dropout=0.0, mixture=mixture))
    (batch,) = recommender.batches(prompts_table(4), 4)
    recommender.sample_loss(recommender.model, batch).mean().backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in recommender.model.parameters())
