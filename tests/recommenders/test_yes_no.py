from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from peft import PeftModel
from recommender_cases import clicks_table, items_table, prompts_table, small_base_model, small_tokenizer
from torch.nn import functional
from transformers import AutoModelForCausalLM

from coresift.attribution import gradient_norms
from coresift.finetuning import FineTuningOptions, fine_tune
from coresift.ranking import click_metrics
from coresift.recommenders import AdapterOptions, build_recommender
from coresift.recommenders.answers import answer_tokens

KINDS = ["llama", "bert"]


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {kind: small_base_model(folder / kind, kind) for kind in KINDS}


def built(base, **options):
    return build_recommender("yes_no", base_model=base, items=items_table(), device="cpu", **options)


def adapted(base):
    recommender = built(base, adapter=AdapterOptions(r=4, dropout=0.1))
    with torch.no_grad():
        for name, parameter in recommender.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(len(name)))
    return recommender


def test_a_decoder_s_probability_is_the_softmax_of_its_two_answers_alone(bases):
    recommender, clicks = built(bases["llama"]), clicks_table(5)
    model, (yes, no) = recommender.model, answer_tokens(small_tokenizer(), ("Yes", "No"))
    for row, probability in zip(clicks.to_pylist(), recommender.click_probabilities(clicks), strict=True):
        question = torch.tensor([row["input_ids"][: row["prompt_length"]]])
        logits = model(input_ids=question).logits[0, -1, [yes, no]]
        torch.testing.assert_close(probability, logits.softmax(0)[0].detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_the_cross_entropy_of_the_probabilities_and_couple_no_samples(bases, kind):
    recommender, clicks = adapted(bases[kind]), clicks_table(9)
    recommender.model.eval()
    (together,) = (recommender.sample_loss(recommender.model, batch) for batch in recommender.batches(clicks, 9))
    alone = [recommender.sample_loss(recommender.model, batch) for batch in recommender.batches(clicks, 1)]
    expected = functional.binary_cross_entropy(
        recommender.click_probabilities(clicks), torch.tensor(clicks["label"].to_pylist()).float(), reduction="none"
    )
    torch.testing.assert_close(together, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)
    assert together.dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_norms_equal_autograd(bases, kind):
    recommender, clicks = adapted(bases[kind]), clicks_table(6)
    model = recommender.model
    norms = gradient_norms(model, recommender.batches(clicks, 6), loss=recommender.sample_loss)
    lora = [parameter for name, parameter in model.named_parameters() if "lora_" in name]
    model.eval()
    (batch,) = recommender.batches(clicks, 6)
    for loss, norm in zip(recommender.sample_loss(model, batch), norms, strict=True):
        gradients = torch.autograd.grad(loss, lora, retain_graph=True)
        torch.testing.assert_close(norm, sum(part.square().sum() for part in gradients).sqrt(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_tuning_teaches_to_answer_and_the_adapter_answers_the_same_after_saving(bases, kind, tmp_path):
    clicks = pa.concat_tables([clicks_table(96), clicks_table(32, seed=1, split=1)])
    clicks = clicks.set_column(0, "sample_id", pa.array(range(len(clicks)), pa.int32()))
    recommender = built(bases[kind], adapter=AdapterOptions(r=8, dropout=0.0, targets=WIDE[kind]))
    unseen = clicks_table(60, seed=2)
    labels = np.asarray(unseen["label"])
    before = click_metrics(recommender.click_probabilities(unseen).numpy(), labels)
    options = FineTuningOptions(epochs=8, min_steps=1, batch_size=32, learning_rate=1e-2, validation_samples=16)
    tuned = fine_tune(recommender, clicks, coreset=None, work_folder=tmp_path, options=options)
    probabilities = recommender.click_probabilities(unseen)
    after = click_metrics(probabilities.numpy(), labels)
    assert after["auc"] > max(0.75, before["auc"])
    loaded = built(bases[kind], adapter_folder=tuned.folder)
    assert torch.equal(loaded.click_probabilities(unseen), probabilities)


WIDE = {"llama": ["q_proj", "v_proj", "up_proj", "down_proj"], "bert": ["query", "value", "dense"]}


def test_stock_peft_reads_a_decoder_s_adapter(bases, tmp_path):
    recommender, clicks = adapted(bases["llama"]), clicks_table(3)
    recommender.save(tmp_path)
    stock = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(bases["llama"]), str(tmp_path)).eval()
    row = clicks.to_pylist()[0]
    logits = stock(input_ids=torch.tensor([row["input_ids"][: row["prompt_length"]]])).logits[0, -1]
    expected = logits[recommender.answer_ids].softmax(0)[0].detach()
    torch.testing.assert_close(recommender.click_probabilities(clicks)[0], expected, rtol=1e-4, atol=1e-6)


def test_it_predicts_clicks_and_ranks_nothing(bases):
    recommender = built(bases["llama"])
    assert recommender.options.predicts_clicks
    with pytest.raises(ValueError, match="recommender yes_no predicts clicks and ranks nothing"):
        recommender.rank(clicks_table(2), 3)


def test_clear_errors(bases, tmp_path):
    with pytest.raises(ValueError, match=r"'red car' is 2 .* 'No' 1 tokens .* for instance \[Yes, No\]"):
        built(bases["llama"], answers=("red car", "No"))
    with pytest.raises(ValueError, match=r"label 1 is answered by '.* old .*run the prompting pipeline"):
        built(bases["bert"]).click_probabilities(prompts_table(3))
    encoder = adapted(bases["bert"])
    with pytest.raises(ValueError, match="answer head has no place"):
        encoder.save_merged(tmp_path)
    encoder.save(tmp_path)
    with pytest.raises(ValueError, match=r"tuned with answers \['Yes', 'No'\]"):
        built(bases["bert"], adapter_folder=tmp_path, answers=("No", "Yes"))
