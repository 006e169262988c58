from __future__ import annotations

import pytest
from toy_samples import chat_tokenizer, toy_items, toy_samples

from coresift.prompting import PromptTemplates, SequenceLayout, render_prompts


def render(decoder, **templates):
    return render_prompts(toy_samples([[0]], [[1]]), toy_items(), decoder, templates=PromptTemplates(**templates))


def test_unknown_variable_names_template_and_variable(decoder):
    with pytest.raises(
        ValueError, match=r"template prompting.templates.prompt reads 'brand', .* available: history, user"
    ):
        render(decoder, prompt="{{ history }} {{ brand }}")
    with pytest.raises(ValueError, match=r"prompting.templates.prompt reads 'target'"):
        render(decoder, prompt="Will they like {{ target.title }}?")


def test_unknown_field_names_template_and_field(decoder):
    with pytest.raises(ValueError, match=r"templates.history_item cannot be rendered: .* 'brand'; .* categories, text"):
        render(decoder, history_item="{{ item.brand }}")
    with pytest.raises(ValueError, match=r"templates.prompt cannot be rendered: .* 'age'"):
        render(decoder, prompt="{{ user.age }} {{ history }}")


def test_broken_template_names_its_line(decoder):
    with pytest.raises(ValueError, match=r"templates.response is not valid Jinja2 in line 2: "):
        render(decoder, response="a\n{{ target.title")


@pytest.mark.parametrize("attack", ["{{ item.__class__.__mro__ }}", "{{ item.update({'title': 'x'}) }}"])
def test_templates_run_in_a_sandbox(decoder, attack):
    with pytest.raises(ValueError, match=r"templates.history_item cannot be rendered: .*(unsafe|not safely)"):
        render(decoder, history_item=attack)


def test_chat_template_that_writes_the_date_is_given_one():
    tokenizer = chat_tokenizer()
    date = "{{ date_string if date_string is defined else strftime_now('%d %b %Y') }}"
    tokenizer.chat_template = date + tokenizer.chat_template
    assert tokenizer.decode(SequenceLayout.of(tokenizer).before).strip().startswith("01 Jan 2025")
