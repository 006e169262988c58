"""Quotation marks of CSV: sound ones hold anything, stray ones are named, and no row is swallowed by one."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from coresift.corpus.engines.staging import FAULT, SOURCE_ROW
from coresift.corpus.formats import delimited, quoted_text
from coresift.corpus.formats.delimited import read_delimited
from coresift.corpus.formats.quoted_text import CheckedStream, Dialect, QuoteCheck
from coresift.corpus.formats.raw_files import RawFile

STRAY = (
    r"a quoted value that begins in line 4 goes on behind its closing quotation mark in line {}: set escape .* quote"
)


@pytest.fixture
def read(tmp_path: Path):
    """Write delimited text and read its rows, in file order."""

    def run(text: str | bytes, **options) -> list[dict]:
        path = tmp_path / "t.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        rows = [row for batch in read_delimited(RawFile(path), **options) for row in batch.to_pylist()]
        return sorted(rows, key=lambda row: row[SOURCE_ROW])

    return run


def titles(rows: list[dict]) -> list[str | None]:
    assert [row[SOURCE_ROW] for row in rows] == list(range(len(rows)))
    return [row["title"] for row in rows]


def table(*values: str, delimiter: str = ",") -> str:
    lines = [delimiter.join(["item_id", "title", "note"])]
    return "\n".join([*lines, *(delimiter.join([str(n), value, "x"]) for n, value in enumerate(values))]) + "\n"


@pytest.mark.parametrize(
    ("stray", "closed_in"),
    [
        (('"Weird Al', '"Heroes'), 6),
        (('"Ruler 12\\""', '"Ruler 6\\""'), 6),
        (('"He said \\"hi\\" there"', "b"), 4),
        (('"a"b', "c"), 4),
        (('"a" b', "c"), 4),
    ],
)
def test_what_goes_on_behind_a_closing_mark_is_named(read, stray, closed_in):
    with pytest.raises(ValueError, match=STRAY.format(closed_in)):
        read(table("one", "two", stray[0], "three", stray[1], "four"))


def test_a_mark_that_is_never_closed_is_named_with_its_line(read):
    with pytest.raises(ValueError, match="a quotation mark is never closed, first in line 3"):
        read(table("one", '"two', "three"))
    with pytest.raises(ValueError, match="in the header a quotation mark is never closed"):
        read('item_id,"title\n1,2\n')


def test_sound_files_with_any_number_of_marks_are_read(read):
    values = ['TV 5" wide', '"two\nlines"', '"a ""b"""', '""', "a", '"x, y"', "5' 6\"", '"end" ', '"\r\n"']
    expected = ['TV 5" wide', "two\nlines", 'a "b"', None, "a", "x, y", "5' 6\"", "end ", "\r\n"]
    assert titles(read(table(*values))) == expected
    assert titles(read(table(*values[:5]).rstrip("\n") + '\n9,z,"end"'))[-1] == "z"


def test_values_without_quotes_keep_every_mark(read):
    values = ['"Weird Al', '"Heroes', '12"', '""', '"', 'a "b" c']
    assert titles(read(table(*values, delimiter="\t"), quote="")) == values


def test_another_mark_may_stand_around_values(read):
    assert titles(read(table("'a,b'", '"c', "'d''e'"), quote="'")) == ["a,b", '"c', "d'e"]


def test_an_escape_takes_the_meaning_of_marks_only(read):
    values = [r'"Ruler 12\""', r'"a\\"', r"C:\new", r"a\,b", r'"say \"hi\", twice"', "\\N", 'plain "q"', '"a ""b"""']
    expected = ['Ruler 12"', "a\\", r"C:\new", "a,b", 'say "hi", twice', "\\N", 'plain "q"', 'a "b"']
    assert titles(read(table(*values), escape="\\")) == expected
    with pytest.raises(ValueError, match=r"never closed, first in line 2: set quote"):
        read(table(r'"a\"', "b"), escape="\\")


@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_pieces_of_any_length_give_the_same(block):
    text = table(r'"a ""b"" \" c"', '"x\ny" ', r"p\,q", r"C:\d", '"z"').encode()
    for escape in (None, "\\"):
        whole, cut = (QuoteCheck(Dialect(",", '"', escape)) for _ in range(2))
        whole.feed(text)
        for start in range(0, len(text), block):
            cut.feed(text[start : start + block])
        whole.finish()
        cut.finish()
        assert whole.fault == cut.fault == ("" if escape else whole.fault)


def test_the_stream_hands_on_the_same_text_in_any_pieces():
    import io

    text = b'a\\b,\\"c\\"\\\\,\\\\\\d\n\\'
    for size in range(1, 30):
        stream = CheckedStream(io.BytesIO(text), Dialect(",", "", "\\"))
        read = b"".join(iter(lambda stream=stream, size=size: stream.read(max(size, 8)), b""))
        assert read == b'a\\\\b,\\\\"c\\\\"\\\\,\\\\\\\\d\n\\\\'


def test_random_tables_are_read_as_they_were_written(read, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    rng = random.Random(0)
    pieces = ["a", "é", '"', ",", "\n", " ", "\\", ";", "b c"]
    for _ in range(60):
        values = ["".join(rng.choices(pieces, k=rng.randint(0, 5))) for _ in range(rng.randint(1, 6))]
        quoted = ['"' + value.replace('"', '""') + '"' for value in values]
        assert titles(read(table(*quoted))) == [value or None for value in values]
        escaped = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values]
        assert titles(read(table(*escaped), escape="\\")) == [value or None for value in values]


def test_stray_marks_anywhere_lose_no_row(read):
    rng = random.Random(1)
    n_read = 0
    for _, seed in itertools.product(range(2), range(60)):
        text = table(*(f"Title {n}" for n in range(12)))
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(text.index("\n") + 1, len(text))
            text = text[:place] + '"' + text[place:]
        try:
            rows = read(text)
        except ValueError as error:
            assert "quotation mark" in str(error), seed
            continue
        n_read += 1
        assert len(rows) + sum((row["title"] or "").count("\n") for row in rows) >= 12 or any(
            row[FAULT] for row in rows
        )
    assert n_read > 10


def test_lines_inside_of_quoted_values_are_counted_in_the_log(read, caplog):
    read(table("a", "b", "", "c"))
    assert caplog.text == ""
    assert len(read(table("a", '"Heroes', "b", '12"', "c"))) == 3
    assert "2 lines are part of quoted values; if they are rows, set quote" in caplog.text


@pytest.mark.parametrize("written", ["\t", "\\t"])
def test_a_tab_may_be_written_as_backslash_and_t(read, written):
    assert titles(read(table("a", "b", delimiter="\t"), delimiter=written)) == ["a", "b"]


@pytest.mark.parametrize("options", [{"delimiter": "::"}, {"delimiter": ""}, {"delimiter": "§"}, {"delimiter": "\n"}])
def test_a_delimiter_of_other_than_one_character_is_named(read, options):
    with pytest.raises(ValueError, match=r"delimiter '.*' must be one ASCII character"):
        read(table("a"), **options)


def test_marks_that_are_the_same_are_named(read):
    with pytest.raises(ValueError, match="must differ from each other"):
        read(table("a"), quote=",")
    with pytest.raises(ValueError, match=r"escape '::' must be one ASCII character"):
        read(table("a"), escape="::")


def test_rows_and_headers_without_end_are_named_in_bounded_memory(read, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", 1 << 12)
    with pytest.raises(ValueError, match="a row is longer than 32 MB"):
        read(table("a") + "1," + "x" * (1 << 14) + ",y\n")
    with pytest.raises(ValueError, match="a quotation mark is never closed, first in line 3"):
        read(table("a") + '1,"' + "x\n" * (1 << 13))
    monkeypatch.setattr(delimited, "_LONGEST_HEADER", 1 << 12)
    with pytest.raises(ValueError, match="begins with a line longer than 1 MB"):
        read("x" * (1 << 13))
    with pytest.raises(ValueError, match="the header cannot be read"):
        monkeypatch.undo()
        read("x" * (1 << 18) + ",y\n1,2\n")


def test_marks_are_checked_without_a_copy_of_the_file():
    check = quoted_text.QuoteCheck(Dialect(","))
    check.feed(b'1,"')
    for _ in range(50):
        check.feed(b"x" * 1000)
    assert len(check._rest) < 10
