"""JSON: arrays and lines of objects, damaged ones in bounded memory, and a fitting sentence for everything else."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest

from coresift.corpus.formats import json_arrays, text_lines
from coresift.corpus.formats.json_lines import parse_record, read_json_lines, read_records
from coresift.corpus.formats.raw_files import RawFile

ROWS = [{"user_id": n, "title": f"é {n}", "deep": {"a": [n, "]"]}} for n in range(40)]


@pytest.fixture
def read(tmp_path: Path):
    """Write a file and read its records."""

    def run(text: str | bytes, name: str = "t.json") -> list[dict | None]:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return [record for records in read_records(RawFile(tmp_path / name)) for record in records]

    return run


@pytest.mark.parametrize("chunk", [1 << 23, 50, 7])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_of_objects_is_read_element_by_element(read, monkeypatch, chunk, indent):
    text = json.dumps(ROWS, indent=indent, ensure_ascii=False)
    if chunk > 100:
        assert read(text) == ROWS
    monkeypatch.setattr(json_arrays, "_CHUNK", max(chunk, len(json.dumps(ROWS[0], indent=indent)) * 2))
    assert read("\ufeff \n" + text + "\n") == ROWS
    assert read(gzip.compress(text.encode()), "t.json.gz") == ROWS
    assert read("[]") == read("[ ]\n") == []


def test_elements_that_are_no_objects_are_set_apart(read):
    assert read('[{"a": 1}, 2, "x", null, [1], {"a": 2}]') == [{"a": 1}, None, None, None, None, {"a": 2}]


def test_text_of_other_encodings_keeps_its_accents(read):
    assert read(b'[{"title": "caf\xe9"}, {"title": "caf\xc3\xa9"}]') == [{"title": "café"}, {"title": "café"}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[{"a": 1}, {"a": ', "damaged or cut off behind its element 1: repair it, or write one object per line"),
        ('[{"a": 1}, {"a" 2}]', "damaged or cut off behind its element 1"),
        ('[{"a": 1},\n{"a": 2}\n', "damaged or cut off behind its element 2"),
        ("[{'a': 1}, {'a': 2}]", "damaged or cut off behind its element 0"),
        ('[{"a": 1}]\n[{"a": 2}]', "goes on behind its JSON array: write one array"),
        ("[1, 2]\n[3, 4]", "holds no JSON object in a line: write one object per line, or an array"),
        ('{\n "user_id": 1\n}\n', "holds no JSON object in a line"),
        ("[1, 2, 3]", "holds no JSON object in a line"),
    ],
)
def test_what_is_neither_lines_nor_a_sound_array_is_named(read, text, told):
    with pytest.raises(ValueError, match=rf"t.json .*{told}"):
        read(text)


def test_lines_stay_lines_although_the_first_begins_with_a_bracket(read):
    assert read('[{"a": 1}\n{"a": 2}\n{"a": 3}') == [None, {"a": 2}, {"a": 3}]
    assert read('[1]\n{"a": 2}\n') == [None, {"a": 2}]


def test_an_element_without_end_is_refused_before_it_is_held(read, monkeypatch):
    monkeypatch.setattr(json_arrays, "_CHUNK", 1 << 12)
    monkeypatch.setattr(json_arrays, "LONGEST_LINE", 1 << 14)
    with pytest.raises(ValueError, match="damaged or cut off behind its element 1"):
        read('[{"a": 1}, {"a": "' + "x" * (1 << 20))


def test_a_line_without_end_is_refused_before_it_is_held(read, monkeypatch):
    monkeypatch.setattr(text_lines, "LONGEST_LINE", 1 << 10)
    monkeypatch.setattr(text_lines, "_CHUNK", 1 << 9)
    with pytest.raises(ValueError, match=r"t.json has a line longer than 16 MB"):
        read('{"a": 1}\n{"a": "' + "x" * (1 << 16))


@pytest.mark.parametrize("damaged", ['{"a": [' + "1, " * 1_000_000, "{'a': [" + "[], " * 700_000, "(" * 2_000_000])
def test_a_damaged_line_of_megabytes_takes_no_more_than_some_of_them(damaged):
    tracemalloc.start()
    try:
        assert parse_record(damaged) is None
        assert tracemalloc.get_traced_memory()[1] < 30 * len(damaged)
    finally:
        tracemalloc.stop()


def test_printed_dictionaries_are_read():
    assert parse_record("{'asin': 'B1', 'related': {'also': ['a'] * 1}}") is None
    assert parse_record("{'asin': 'B1', 'title': \"Anno's\"}") == {"asin": "B1", "title": "Anno's"}


def test_more_names_than_a_table_has_columns_are_named(tmp_path):
    (tmp_path / "users.jsonl").write_text("\n".join(json.dumps({f"key {n}": 1}) for n in range(5000)))
    with pytest.raises(ValueError, match=r"users.jsonl has objects of more than 4096 names"):
        list(read_json_lines(RawFile(tmp_path / "users.jsonl")))


def test_values_nested_deeply_end_no_reading(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": ' + "[" * 900 + "]" * 900 + ', "b": 1}\n{"b": 2}\n')
    batches = list(read_json_lines(RawFile(tmp_path / "t.jsonl"), columns=["a", "b"]))
    assert [value for batch in batches for value in batch["b"].to_pylist()] in (["1", "2"], [None, "2"])
