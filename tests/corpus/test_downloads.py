"""URLs, against a real server on this machine that also breaks connections and sends less than it promised."""

from __future__ import annotations

import hashlib
import re
import threading
import traceback
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from coresift.corpus import Source, ingest, open_source
from coresift.corpus.engines.duckdb_engine import open_duckdb
from coresift.corpus.sources.downloads import fetch
from coresift.datasets import SourceDataset

pytest.importorskip("aiohttp", reason="aiohttp, which fsspec needs for HTTP, is not installed")

CONTENT = bytes(range(256)) * 12_000
"""Three megabytes: more than one piece."""


class Server(ThreadingHTTPServer):
    """Serves bytes by path, badly if told to.

    Attributes:
        files: Content by path.
        cut_at: Bytes after which a connection is closed; None sends all.
        cuts_left: How many answers are cut.
        truncated: Whether files end where they are cut although their full length was promised.
        requests: Paths asked for.
        answer_to_others: Status of paths that are no file.
    """

    files: dict[str, bytes]
    cut_at: int | None = None
    cuts_left = 0
    requests: list[str]
    answer_to_others = 404


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.server.requests.append(self.path)
        self.answer(body=True)

    def answer(self, *, body: bool):
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(self.server.answer_to_others)
            return
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        start, stop = (int(wanted[1]), int(wanted[2] or len(content) - 1) + 1) if wanted else (0, len(content))
        part = content[start:stop]
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        self.end_headers()
        if body and self.server.cut_at is not None and self.server.cuts_left and len(part) > self.server.cut_at:
            self.server.cuts_left -= 1
            part = part[: self.server.cut_at]
            self.close_connection = True
        if body:
            self.wfile.write(part)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.files, running.requests = {"/data/file.bin": CONTENT}, []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def url(server: Server, path: str = "/data/file.bin") -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def test_a_file_is_fetched_once(server, tmp_path):
    first = fetch(url(server), cache=tmp_path)
    assert first.name == "file.bin"
    assert first.read_bytes() == CONTENT
    asked = len(server.requests)
    assert fetch(url(server), cache=tmp_path) == first
    assert len(server.requests) == asked


def test_broken_connections_are_resumed(server, tmp_path):
    server.cut_at, server.cuts_left = 300_000, 3
    assert fetch(url(server), cache=tmp_path).read_bytes() == CONTENT


def test_a_file_that_stays_cut_off_is_refused_and_not_kept(server, tmp_path):
    server.cut_at, server.cuts_left = 1000, 10_000
    with pytest.raises(ValueError, match=r"file.bin was cut off at 0 of 3072000 bytes in 5 attempts \(.+\): try again"):
        fetch(url(server), cache=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_checksum_decides(server, tmp_path):
    good = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    assert fetch(url(server), checksum=good, cache=tmp_path).read_bytes() == CONTENT
    with pytest.raises(ValueError, match=r"has the md5 .*, not 00: it changed or was damaged"):
        fetch(url(server), checksum="md5:00", cache=tmp_path)
    with pytest.raises(ValueError, match=r"must be written as sha256:<digits>"):
        fetch(url(server), checksum="crc32:1", cache=tmp_path)


def test_a_missing_file_is_named(server, tmp_path):
    with pytest.raises(ValueError, match=r"gone.bin cannot be reached \(.*\): check the address"):
        fetch(url(server, "/gone.bin"), cache=tmp_path)


def test_secrets_of_an_address_stay_out_of_messages_and_logs(server, tmp_path, caplog):
    for path in ("/data/file.bin?signature=hidden", "/data/file.bin?signature=hidden&again=1"):
        server.files[path] = CONTENT
    secret = url(server, "/data/file.bin?signature=hidden").replace("http://", "http://ann:secret@")
    told = []
    with caplog.at_level("INFO"):
        fetch(secret, cache=tmp_path)
        for wrong, checksum in ((secret, "md5:00"), (secret.replace("file", "gone"), None)):
            with pytest.raises(ValueError, match=r"http://\*\*\*@127.0.0.1") as caught:
                fetch(wrong, checksum=checksum, cache=tmp_path)
            told.append("".join(traceback.format_exception(caught.value)))
        server.cut_at, server.cuts_left = 1000, 10_000
        with pytest.raises(ValueError, match="was cut off") as caught:
            fetch(secret + "&again=1", checksum="md5:01", cache=tmp_path)
        told.append("".join(traceback.format_exception(caught.value)))
    told.append(caplog.text)
    assert "http://***@" in caplog.text
    assert not [text for text in told if ":secret" in text or "=hidden" in text]


def test_a_release_is_ingested_from_its_url(server, tmp_path):
    with zipfile.ZipFile(tmp_path / "small.zip", "w") as archive:
        archive.writestr("ml/ratings.csv", "userId,movieId,rating,timestamp\n1,1,4,10\n1,2,5,20\n1,3,3,30\n")
        archive.writestr("ml/movies.csv", "movieId,title,genres\n1,A,X\n2,B,X\n3,C,Y\n")
    server.files["/ml.zip"] = (tmp_path / "small.zip").read_bytes()
    sources = [
        Source(f"raw_{part}", path=url(server, "/ml.zip"), format="movielens", part=part, cache=str(tmp_path / "cache"))
        for part in ("interactions", "items", "users")
    ]
    corpus = ingest(*sources, split="leave_one_out", min_history=0, threads=1)
    assert corpus.interactions.num_rows == 3


def test_any_store_of_fsspec_is_an_address(tmp_path: Path):
    (tmp_path / "file.csv").write_text("a,b\n1,2\n")
    fetched = fetch(f"file://{tmp_path}/file.csv", cache=tmp_path / "cache")
    assert fetched.read_text() == "a,b\n1,2\n"


def test_a_copy_is_checked_whenever_it_is_used(server, tmp_path, caplog):
    good = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    copy = fetch(url(server), checksum=good, cache=tmp_path)
    copy.write_bytes(CONTENT[:-1] + b"x")
    assert fetch(url(server), checksum=good, cache=tmp_path).read_bytes() == CONTENT
    assert "the copy of http" in caplog.text and "is damaged: it is fetched again" in caplog.text
    copy.write_bytes(b"")
    server.files["/data/file.bin"] = b"other"
    with pytest.raises(ValueError, match="it changed or was damaged"):
        fetch(url(server), checksum=good, cache=tmp_path)


def opened(address: str, folder: Path, *, optional: bool) -> list[dict[str, object]]:
    dataset = SourceDataset(filepath=address, name="raw_users", optional=optional, cache=str(folder))
    assert dataset.exists()
    with open_duckdb(threads=1) as engine:
        table = open_source(dataset.load(), engine, required=("user_id",))
        return engine.rows(table.select("user_id"))


def test_an_optional_file_is_optional_behind_a_url(server, tmp_path):
    server.files["/users.csv"] = b"user_id\na\n"
    assert opened(url(server, "/users.csv"), tmp_path, optional=True) == [{"user_id": "a"}]
    for status in (404, 410):
        server.answer_to_others = status
        for name in ("gone.csv", "gone.parquet", "gone.jsonl"):
            assert opened(url(server, f"/{name}"), tmp_path, optional=True) == []
            with pytest.raises(ValueError, match=rf"{name} cannot be reached"):
                opened(url(server, f"/{name}"), tmp_path, optional=False)
    for address in (f"file://{tmp_path}/gone.csv", f"{tmp_path}/gone.csv", "memory://x/gone.csv"):
        assert opened(address, tmp_path, optional=True) == []
        with pytest.raises(ValueError, match="raw_users"):
            with open_duckdb(threads=1) as engine:
                open_source(Source("raw_users", path=address, cache=str(tmp_path)), engine, required=("user_id",))


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_an_optional_file_that_cannot_be_reached_stops_the_run(server, tmp_path, status):
    server.answer_to_others = status
    with pytest.raises(ValueError, match=rf"users.csv cannot be reached \({status}"):
        opened(url(server, "/users.csv"), tmp_path, optional=True)
    with pytest.raises(ValueError, match=r"users.csv cannot be reached"):
        opened("http://127.0.0.1:1/users.csv", tmp_path, optional=True)
