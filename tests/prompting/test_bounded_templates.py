"""A template of any content ends soon, and says in a sentence where it asks for too much."""

from __future__ import annotations

import jinja2
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from coresift.prompting import PromptTemplates
from coresift.prompting.templates import CompiledTemplates

HISTORY = ["Ember Rally", "Frost Saga"] * 4
GROWING = (
    "{%% set own = namespace(x='ab') %%}{%% for i in range(60) %%}{%% set own.x = %s %%}{%% endfor %%}"
    "{{ own.x | length }}"
)
NESTED = (
    "{%% set own = namespace(x=[1], y=[1]) %%}{%% for i in range(60) %%}"
    "{%% set own.x = [own.x, own.x] %%}{%% set own.y = [own.y, own.y] %%}{%% endfor %%}{{ %s }}"
)
TOO_MUCH = [
    *(NESTED % end for end in ("own.x", "own.x | string | length", "own.x == own.y", "own.y in [own.x]")),
    "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}" + "the same text " * 100 + "{% endfor %}",
    "{% for a in range(9999) %}{{ range(9999) | sum }}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    *(GROWING % step for step in ("own.x ~ own.x", "own.x + own.x", "own.x | replace('a', own.x)")),
    *(
        GROWING % step
        for step in ("own.x.join(own.x)", "[own.x, own.x] | join", "own.x * 2", "own.x.replace('a', own.x)")
    ),
    "{% set own = namespace(x=3) %}{% for i in range(60) %}{% set own.x = own.x * own.x %}{% endfor %}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ 10 ** 9 * [1] }}",
    "{{ 9 ** 999999 }}",
    "{{ 'a' | center(10 ** 9) }}",
    "{{ 'a'.ljust(10 ** 9) }}",
    "{{ 'a' | indent(10 ** 9) }}",
    "{{ history | map('center', 10 ** 9) | list }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000s' | format(1) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 10 ** 9) }}",
    "{{ '%*d' % (10 ** 9, 1) }}",
    "{{ 1.5 | round(10 ** 9, 'ceil') }}",
    "{{ [1] | batch(10 ** 9, 0) | list }}",
    "{{ history | tojson(10 ** 9) }}",
]


def rendered(source, history=HISTORY, user=None):
    return CompiledTemplates(PromptTemplates(prompt=source)).prompt(history=history, user=user or {})


@pytest.mark.parametrize("source", TOO_MUCH)
def test_what_would_hang_or_fill_the_memory_is_refused(source):
    with pytest.raises(
        ValueError, match=r"^template prompting.templates.prompt cannot be rendered: it loops, repeats or"
    ):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for i in history recursive %}{{ loop(history) }}{% endfor %}",
        "{% block a %}{{ self.a() }}{% endblock %}",
        "{{ 1 / 0 }}",
        "{{ history[99] }}",
        "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{{ lipsum(9) }}",
    ],
)
def test_whatever_else_fails_is_a_sentence_with_the_template_s_name(source):
    with pytest.raises(ValueError, match=r"^template prompting.templates.prompt "):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ history | join('; ') }}\nNext:\n",
        "{% for title in history %}{{ loop.index }}/{{ loop.length }} {{ title | upper }}{% endfor %}",
        "{% for title in history if title != 'x' %}{{ title ~ '!' }}{% else %}none{% endfor %}",
        "{{ user.age + 1 }} {{ '%d items' % history | length }} {{ '{:,}'.format(1234567) }} {{ 3 * 'ab' }}",
        "{{ 2 ** 10 }}",
        "{% macro m(x) %}<{{ x }}>{% endmacro %}{% for title in history[:2] %}{{ m(title) }}{% endfor %}",
        "{{ history | map('replace', ' ', '_') | join(',') | truncate(30) }}",
        "{{ user | tojson }} {{ '%.2f' | format(3.14) }}",
        "{% for a in history %}{% for b in history %}{{ a }} and {{ b }}; {% endfor %}{% endfor %}",
        "{{ user.about | trim | replace('\n', ' ') }}",
    ],
)
def test_useful_templates_render_as_in_jinja(source):
    history, user = HISTORY * 6, {"age": 30, "about": "long\ntext " * 3000}
    plain = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    assert rendered(source, history, user) == plain.from_string(source).render(history=history, user=user)
