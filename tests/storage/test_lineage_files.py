"""A lineage is kept beside its dataset, and datasets of different origins are told apart."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from coresift.storage import Lineage, Location, check_one_origin, read_lineage, write_lineage

SAMPLES = Lineage("ingestion.ingest", {"ingestion.ingest": "a"}, "1")
PROMPTS = Lineage("prompting.render", {"ingestion.ingest": "a", "prompting.render": "p"}, "1")
OTHER_SAMPLES = Lineage("ingestion.ingest", {"ingestion.ingest": "b"}, "1")
RUNS = {"samples": "2026-02", "prompts": "2026-01"}


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_a_lineage_survives_its_file(tmp_path: Path, protocol: str) -> None:
    place = Location(fsspec.filesystem(protocol), str(tmp_path / "v1"))
    assert read_lineage(place) is None
    write_lineage(place, PROMPTS)
    assert read_lineage(place) == PROMPTS


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"made_by": "a", "stages": {"b": "c"}, "code": "1"}'])
def test_a_damaged_lineage_is_one_sentence(tmp_path: Path, content: str) -> None:
    place = Location(fsspec.filesystem("file"), str(tmp_path))
    write_lineage(place, SAMPLES)
    next(tmp_path.glob(".lineage*")).write_text(content)
    with pytest.raises(ValueError, match=r"damaged: delete this version"):
        read_lineage(place)


def test_equal_fingerprints_belong_together_whichever_run_made_them() -> None:
    check_one_origin("selection.select", {"samples": SAMPLES, "prompts": PROMPTS}, RUNS)
    assert PROMPTS.rests_on(SAMPLES) and not SAMPLES.rests_on(PROMPTS) and not PROMPTS.rests_on(OTHER_SAMPLES)


def test_a_mixture_names_both_runs_and_the_pipeline_to_run_again() -> None:
    with pytest.raises(ValueError, match=r"different results of ingestion\.ingest") as stopped:
        check_one_origin("selection.select", {"samples": OTHER_SAMPLES, "prompts": PROMPTS}, RUNS)
    for words in ("prompts of run 2026-01", "samples of run 2026-02", "--pipelines=prompting", "--load-versions"):
        assert words in str(stopped.value)
