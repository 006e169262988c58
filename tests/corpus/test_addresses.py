"""Messages, logs and descriptions show scheme, host and path of an address, and nothing else of it."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import pytest
from kedro.io import DataCatalog

from coresift.corpus import Source, ingest
from coresift.corpus.sources.addresses import is_url, masked, without_secrets
from coresift.datasets import SourceDataset

SECRET = "hunter2"
ADDRESSES = [
    *(f"postgres://shop:{SECRET}{odd}1@127.0.0.1:1/db" for odd in "#/?@: %=&'\""),
    f"postgres://{SECRET}:x@127.0.0.1:1/db",
    f"jdbc:postgresql://shop:{SECRET}@127.0.0.1:1/db?password={SECRET}",
    f"postgres:/shop:{SECRET}@127.0.0.1:1/db",
    f"postgres://127.0.0.1:1/db?password={SECRET}",
    f"sqlite:///missing.db#key={SECRET}",
    f"sqlite:///missing.db?key={SECRET}",
    f"duckdb://missing.db?motherduck_token={SECRET}",
    *(f"http://shop:{SECRET}{odd}1@127.0.0.1:1/i.csv" for odd in "#/?@:%"),
    f"http://{SECRET}@127.0.0.1:1/i.csv",
    f"http://127.0.0.1:1/i.csv?a='b'&token={SECRET}",
    f"http://127.0.0.1:1/i.csv?{SECRET}",
    f"http://127.0.0.1:1/i.csv#token={SECRET}",
    f"simplecache::http://{SECRET}@127.0.0.1:1/i.csv",
    f"zip://i.csv::http://shop:{SECRET}@127.0.0.1:1/i.zip?sig={SECRET}",
    f"unknown://{SECRET}@127.0.0.1/i.csv",
    f"file:///gone/{'x'}.csv",
]


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coresift.corpus.sources.downloads._FIRST_PAUSE", 0.0)


def told_by(error: BaseException | None) -> str:
    """Return everything that an error carries along."""
    texts = []
    while error is not None:
        texts.append("".join(traceback.format_exception(error)) + repr(error) + repr(error.args))
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_message_cause_or_log_holds_a_secret(address, tmp_path, caplog):
    kind = "database" if address.partition(":")[0] in ("postgres", "sqlite", "duckdb") else "csv"
    source = Source("raw_log", path=address, format=kind, database_table="t", cache=str(tmp_path))
    with caplog.at_level(logging.INFO), pytest.raises(ValueError, match="raw_log") as caught:
        ingest(source, source, Source.empty("raw_users"), threads=1)
    assert SECRET not in str(caught.value) + repr(source) + source.shown + caplog.text
    assert SECRET not in told_by(caught.value)
    assert not [path for path in tmp_path.rglob("*") if SECRET in path.name]


@pytest.mark.parametrize("address", ADDRESSES)
def test_descriptions_hold_no_secret(address):
    dataset = SourceDataset(filepath=address, name="raw_log", optional=True)
    catalog = DataCatalog({"raw_log": dataset})
    assert SECRET not in repr(dataset) + str(dataset) + repr(catalog) + str(dataset._describe())
    assert dataset.load().path == address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgres://ann:secret@localhost/shop", "postgres://***@localhost/shop"),
        ("https://ann:p@ss:w@example.org/a.csv?X-Amz-Signature=0f3a&n=1", "https://***@example.org/a.csv"),
        ("zip://a.csv::https://ann:secret@example.org/b.zip?sig=1", "zip://a.csv::https://***@example.org/b.zip"),
        ("s3://bucket/raw/a.csv", "s3://bucket/raw/a.csv"),
        ("sqlite:///home/ann@work/shop.db", "sqlite:///home/ann@work/shop.db"),
        ("/data/ann@work/a#1?.csv", "/data/ann@work/a#1?.csv"),
        ("file:///data/a#1.csv", "file:///data/a#1.csv"),
    ],
)
def test_what_is_no_secret_stays(address, shown):
    assert masked(address) == shown
    assert Source("raw", path=address).shown == f"raw ({shown})"


def test_addresses_in_sentences_are_masked():
    told = without_secrets("no 'zip://a.csv::https://ann:secret@example.org/b.zip?sig=1', so (http://h/a?k=1).")
    assert told == "no 'zip://a.csv::https://***@example.org/b.zip', so (http://h/a)."
    address = "postgres://ann:a%2Fb%20c@host/db"
    assert without_secrets("password 'a/b c' of ann refused", address) == "password '***' of *** refused"


def test_a_source_describes_itself_without_its_rows(tmp_path: Path):
    source = Source("raw", path=str(tmp_path / "a.csv"), delimiter=";")
    assert repr(source) == f"Source(name='raw', path='{tmp_path}/a.csv', delimiter=';')"
    assert repr(Source.empty("raw")) == "Source(name='raw', table='0 rows')"


def test_what_begins_with_a_scheme_is_fetched():
    assert is_url("s3://bucket/a.csv")
    assert is_url("simplecache::https://h/a.csv")
    assert not [path for path in ("/a://b.csv", "a/b://c", "file:///a.csv", "C:/a.csv") if is_url(path)]
