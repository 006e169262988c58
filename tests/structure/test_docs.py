"""What the pages point at exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coresift.selection import SELECTORS

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
BENCHMARK = re.compile(r"python -m (benchmarks(?:\.\w+)+)")
ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks/README.md", ROOT / "conf/README.md"])


def pages() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


@pages()
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    links = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    for link in (link for link in links if "://" not in link and not link.startswith("mailto:")):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} leads to no file"
        assert not anchor or anchor in anchors(target), f"{link} leads to no heading of {target.name}"


@pages()
def test_every_benchmark_that_is_named_exists(page: Path) -> None:
    for module in BENCHMARK.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), f"there is no {module}"


WORDS_FOR_INPUTS = {
    "embedding": "representation",
    "gradient_feature": "gradient features",
    "gradient_norm": "gradient norms",
    "influence": "influence",
    **dict.fromkeys(["loss", "el2n", "grand", "forgetting", "loss_drop"], "surrogate scores"),
    **dict.fromkeys(["history_length", "target_popularity"], "samples"),
}


def test_every_selector_has_a_row_that_tells_what_it_reads() -> None:
    page = (ROOT / "docs" / "selectors.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]+\|[^|]+\| ([^|]+) \|[^|]+\|$", page, re.MULTILINE))
    assert set(rows) == set(SELECTORS)
    for name, selector in SELECTORS.items():
        words = {WORDS_FOR_INPUTS[one] for one in selector().reads if not one.startswith("validation_")} or {"none"}
        assert all(word in rows[name] for word in words), f"{name} reads {', '.join(sorted(words))}"


def test_every_benchmark_has_a_row_in_the_table_of_benchmarks() -> None:
    table = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    started = [file for file in ROOT.glob("benchmarks/*/*.py") if "options_of(__doc__" in file.read_text("utf-8")]
    assert len(started) > 10
    for file in started:
        assert f"| `{file.parent.name}.{file.stem}` |" in table, f"{file.name} is missing"
