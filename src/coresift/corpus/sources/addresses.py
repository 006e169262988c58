"""Addresses of files and databases, and how messages show them: scheme, host and path, and nothing else of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote_plus

_SCHEME = re.compile(r"(?:[A-Za-z][\w+.-]*:)*([A-Za-z][\w+.-]+):/+")
_ADDRESS = re.compile(_SCHEME.pattern + r"\S*")
_CHAIN = re.compile(rf"::(?={_SCHEME.pattern})")
_AFTER_PATH = re.compile(r"[?#].*?(?=['\")\],.;:]*$)", re.DOTALL)
"""A query and a fragment, up to the punctuation of the sentence that the address stands in."""

_WITHOUT_HOST = ("sqlite", "duckdb", "file")
_HIDDEN = "***"
_SHORTEST_INSIDE_WORDS = 4
"""Secrets from this length on are hidden inside words too; shorter ones would hide parts of every word."""


def is_url(path: str) -> bool:
    """Tell whether a path is an address that must be fetched: local files are read where they lie."""
    return re.match(r"[A-Za-z][\w+.:-]*://", path) is not None and not path.startswith("file://")


def local_path(path: str) -> str:
    """Return the path of a local file, which may be written as a ``file://`` address."""
    return path.removeprefix("file://")


def masked(address: str) -> str:
    """Return an address as messages show it: without users, passwords, queries and fragments, any of which is secret.

    A password may hold any character, so that everything up to the last ``@`` is hidden. Local paths stay as they are.
    """
    if address.startswith("file://") or _SCHEME.search(address) is None:
        return address
    return "::".join(_masked_part(part) for part in _chained(address))


def without_secrets(text: str, address: str = "") -> str:
    """Return text fit for messages.

    Args:
        text: What an error says, for instance; every address in it is masked.
        address: The address that it is about, whose secrets are hidden wherever the text repeats a piece of them.
    """
    if address:
        text = text.replace(address, masked(address))
        for secret in sorted(set(_secrets(address)), key=len, reverse=True):
            pattern = re.escape(secret)
            whole = len(secret) < _SHORTEST_INSIDE_WORDS
            text = re.sub(rf"(?<!\w){pattern}(?!\w)" if whole else pattern, _HIDDEN, text)
    return _ADDRESS.sub(lambda found: "::".join(map(_masked_part, _chained(found[0]))), text)


def reason(error: BaseException, address: str = "") -> str:
    """Return the first line of an error without the secrets of an address, or the name of its kind if it says nothing.

    Whatever is raised with it must not carry the error along, whose own text has the whole address.
    """
    return without_secrets((str(error).splitlines() or [""])[0], address) or type(error).__name__


def _chained(address: str) -> list[str]:
    """Return the addresses that fsspec chains with two colons, such as a zip archive behind a URL."""
    places = [0, *(found.end() for found in _CHAIN.finditer(address)), len(address) + 2]
    return [address[start : stop - 2] for start, stop in pairwise(places)]


def _parts(address: str) -> tuple[str, str, str]:
    """Return scheme with slashes, what stands before the last ``@``, and the rest of one address."""
    found = _SCHEME.match(address)
    if found is None:
        return "", "", address
    user, sign, place = address[found.end() :].rpartition("@")
    if found[1] in _WITHOUT_HOST and ":" not in user:
        return found[0], "", user + sign + place
    return found[0], user, place


def _masked_part(address: str) -> str:
    """Return one address without what stands before its host and after its path."""
    scheme, user, place = _parts(address)
    return scheme + (f"{_HIDDEN}@" if user else "") + (_AFTER_PATH.sub("", place, count=1) if scheme else place)


def _secrets(address: str) -> Iterator[str]:
    """Yield what an address holds beyond scheme, host and path, whole and in the pieces that drivers cut it into."""
    for part in _chained(address):
        _, user, place = _parts(part)
        for text in (user, *re.split(r"[?#]", place, maxsplit=1)[1:]):
            for form in (text, unquote_plus(text)):
                pairs = [pair.partition("=") for pair in re.split(r"[&;?#]", form)]
                values = [value if sign else name for name, sign, value in pairs]
                pieces = [piece for value in values for piece in re.split(r"[#/?@:\s'\"]", value)]
                passwords = [value.partition(":")[2] for value in values]
                yield from filter(None, [form, *values, *passwords, *pieces])
