"""Broken files end in one clear sentence, or their broken rows are set apart and counted."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from coresift.corpus import Ingested, Source, ingest

LOG = "user_id,item_id,timestamp\nu,1,10\nu,2,20\nu,3,30\n"
ITEMS = "item_id,title\n1,One\n2,Two\n3,Three\n"


@pytest.fixture
def read(tmp_path: Path):
    """Write two files and ingest them."""

    def run(
        log: str | bytes = LOG, items: str | bytes = ITEMS, *, log_name="log.csv", items_name="items.csv", **options
    ):
        sources = []
        for name, content in ((log_name, log), (items_name, items)):
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
            sources.append(Source(f"raw_{name.split('.')[0]}", path=str(tmp_path / name), **options.pop(name, {})))
        chosen = {"split": "leave_one_out", "min_history": 0, "max_rejected_share": 0.5, "threads": 1, **options}
        return ingest(*sources, Source.empty("raw_users"), **chosen)

    return run


def reasons(corpus: Ingested) -> list[tuple[int, str]]:
    return [(row["row"], row["reason"]) for row in corpus.rejected_rows.to_pylist()]


def test_sound_files(read):
    corpus = read()
    assert corpus.interactions.num_rows == 3
    assert corpus.items["raw_id"].to_pylist() == ["1", "2", "3"]


@pytest.mark.parametrize("kept", [10, 60, -1])
def test_a_truncated_gzip_is_named(read, kept):
    whole = gzip.compress(LOG.encode() * 50)
    with pytest.raises(ValueError, match=r"raw_log \(.*log.csv.gz\) cannot be read as a complete csv file"):
        read(whole[:kept], log_name="log.csv.gz")


def test_a_file_that_is_no_gzip_is_named(read):
    with pytest.raises(ValueError, match=r"cannot be read as a complete jsonl file"):
        read(b'{"user_id": 1}', log_name="log.jsonl.gz")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_from_the_header(read, delimiter):
    assert read(LOG.replace(",", delimiter)).interactions.num_rows == 3


def test_a_wrong_delimiter_is_named(read):
    with pytest.raises(ValueError, match=r"no column user_id, item_id \(it has user_id,item_id,timestamp\)"):
        read(**{"log.csv": {"delimiter": ";"}})


def test_mixed_encodings_keep_their_accents(read):
    items = b"item_id,title\n1,caf\xc3\xa9\n2,caf\xe9\n3,\x93quoted\x94\n"
    assert read(items=items).items["title"].to_pylist() == ["café", "café", "“quoted”"]
    lines = b'{"item_id": 1, "title": "caf\xc3\xa9"}\n{"item_id": 2, "title": "caf\xe9"}\n{"item_id": 3}\n'
    assert read(items=lines, items_name="items.jsonl").items["title"].to_pylist() == ["café", "café", "Item 3"]


def test_utf16_is_named(read):
    with pytest.raises(ValueError, match=r"raw_log .*log.csv is UTF-16: save it as UTF-8"):
        read(LOG.encode("utf-16"))


def test_a_byte_order_mark_is_no_part_of_a_name(read):
    assert read(b"\xef\xbb\xbf" + LOG.encode()).interactions.num_rows == 3


def test_nan_ids_are_missing_and_negative_ids_are_ids(read):
    log = "user_id,item_id,timestamp\nu,1,10\nnan,2,20\nu,NaN,30\nu,-5,40\nu,2,50\n-7,1,60\n"
    corpus = read(log, ITEMS + "-5,Minus five\n")
    assert reasons(corpus) == [(1, "missing user_id"), (2, "missing item_id")]
    assert corpus.items["raw_id"].to_pylist() == ["-5", "1", "2", "3"]
    assert corpus.users["raw_id"].to_pylist() == ["-7", "u"]


def test_nan_ids_of_numeric_columns_are_missing():
    log = pa.table({"user_id": [1.0, float("nan"), 1.0, 1.0], "item_id": [1, 1, 2, 3], "timestamp": [1, 2, 3, 4]})
    items = pa.table({"item_id": [1, 2, 3], "title": ["a", "b", "c"]})
    sources = Source("raw_log", table=log), Source("raw_items", table=items), Source.empty("raw_users")
    corpus = ingest(*sources, split="leave_one_out", min_history=0, max_rejected_share=0.5, threads=1)
    assert reasons(corpus) == [(1, "missing user_id")]


@pytest.mark.parametrize(
    "times", [("1500000000", "1500000001", "1500000002"), ("1500000000000", "1500000001000", "1500000002000")]
)
def test_seconds_and_milliseconds_are_told_apart(read, times):
    log = "user_id,item_id,timestamp\n" + "".join(f"u,{item},{time}\n" for item, time in enumerate(times, 1))
    assert read(log).interactions["timestamp"].to_pylist() == [1_500_000_000_000, 1_500_000_001_000, 1_500_000_002_000]


def test_times_as_text_are_read_and_others_set_apart(read):
    log = (
        "user_id,item_id,timestamp\nu,1,2017-07-14 02:40:00\nu,2,2017-07-14T04:40:01+02:00\nu,3,2017-07-15\nu,3,soon\n"
    )
    corpus = read(log)
    assert corpus.interactions["timestamp"].to_pylist() == [1_500_000_000_000, 1_500_000_001_000, 1_500_076_800_000]
    assert reasons(corpus) == [(3, "unreadable timestamp")]


@pytest.mark.parametrize("name", ["items.csv", "items.jsonl"])
def test_a_title_of_ten_megabytes_is_a_title(read, name):
    title = "long &amp; " * 1_000_000
    rows = [("1", title), ("2", "Two"), ("3", "Three")]
    as_csv = "item_id,title\n" + "".join(f'{item},"{text}"\n' for item, text in rows)
    as_json = "\n".join(json.dumps({"item_id": item, "title": text}) for item, text in rows)
    corpus = read(items=as_csv if name == "items.csv" else as_json, items_name=name)
    assert corpus.items["title"].to_pylist()[1:] == ["Two", "Three"]
    assert len(corpus.items["title"][0].as_py()) == 7 * 1_000_000 - 1


def test_null_bytes_and_control_characters_leave_titles(read):
    corpus = read(items=b"item_id,title\n1,On\x00e\n2,\x07Two\x1b\n3,\x00\n")
    assert corpus.items["title"].to_pylist() == ["On e", "Two", "Item 3"]


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.parquet"])
def test_empty_files_are_named(read, name):
    with pytest.raises(ValueError, match=rf"raw_log \(.*{name}\).*(empty|no column|cannot be read as a complete)"):
        read(b"", log_name=name)


def test_a_header_alone_has_no_rows(read):
    with pytest.raises(ValueError, match=r"raw_log .* has no rows"):
        read("user_id,item_id,timestamp\n")


def test_columns_that_cannot_be_told_apart_are_named(read):
    with pytest.raises(ValueError, match=r"columns that cannot be told apart \(user_id\): rename them"):
        read("user_id,user_id,item_id,timestamp\n1,2,3,4\n")


def test_rows_with_another_number_of_values_are_set_apart_with_their_number(read):
    corpus = read(LOG.replace("u,2,20\n", "u,2\nu,2,20\n\nu,2,20,x\n"))
    assert reasons(corpus) == [(1, "wrong number of values"), (3, "wrong number of values")]
    assert corpus.report["rows"]["read"] == 5


def test_a_quotation_mark_that_is_never_closed_is_named(read):
    with pytest.raises(ValueError, match=r"raw_items .* a quotation mark is never closed"):
        read(items=ITEMS.replace("Two", '"Two'))


def test_quoted_line_ends_are_part_of_a_title(read):
    assert read(items=ITEMS.replace("Two", '"Two\n""lines"""')).items["title"].to_pylist()[1] == 'Two "lines"'


def test_an_item_with_two_titles_keeps_the_first(read):
    corpus = read(items=ITEMS + "2,Zwei\n3,Three\n")
    assert corpus.items["title"].to_pylist() == ["One", "Two", "Three"]
    assert reasons(corpus) == [(3, "duplicate item_id"), (4, "repeated item_id")]
    with pytest.raises(ValueError, match=r"1 of 5 rows cannot be used: 1 duplicate item_id"):
        read(items=ITEMS + "2,Zwei\n3,Three\n", max_rejected_share=0.1)


def test_rows_are_read_or_rejected_and_nothing_else(read):
    corpus = read(LOG + "x\nu,9,40\n,1,50\n")
    rejected = sum(corpus.report["rejected"]["raw_log"].values())
    assert corpus.report["rows"]["read"] == corpus.report["rows"]["usable"] + rejected == 6


def test_a_wrong_number_of_values_is_noticed_in_any_encoding(read):
    log = LOG.encode().replace(b"u,2,20\n", b"\xc3\nu,2,20\n")
    assert reasons(read(log)) == [(1, "wrong number of values")]


def zip_of(path: Path, *, flags: int = 0, method: int = zipfile.ZIP_STORED) -> None:
    """Write an archive whose only member says that it is encrypted, or packed by some method."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("log.csv", LOG)
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.index(mark) + place
        content[start] |= flags
        content[start + 2 : start + 4] = method.to_bytes(2, "little")
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"flags": 1}, "log.csv in .*log.zip is encrypted: unpack the archive, and give the path of the folder"),
        ({"method": 9}, "log.csv in .*log.zip is packed in a way that cannot be read here"),
        ({"method": 99}, "log.csv in .*log.zip is packed in a way that cannot be read here"),
        ({"method": zipfile.ZIP_LZMA}, "cannot be read as a complete csv file"),
        ({"method": zipfile.ZIP_BZIP2}, "cannot be read as a complete csv file"),
        ({"method": zipfile.ZIP_DEFLATED}, "cannot be read as a complete csv file"),
    ],
)
def test_an_archive_that_cannot_be_unpacked_is_named(tmp_path, damage, told):
    zip_of(tmp_path / "log.zip", **damage)
    source = Source("raw_log", path=str(tmp_path / "log.zip"), format="csv")
    with pytest.raises(ValueError, match=rf"raw_log \(.*log.zip\).*{told}"):
        ingest(source, source, Source.empty("raw_users"), threads=1)
