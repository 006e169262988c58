"""JSON arrays of objects, read element by element in bounded memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

from coresift.corpus.formats.raw_files import RawFile
from coresift.corpus.formats.text_lines import LONGEST_LINE, decode

_CHUNK = 1 << 23
_BLANK = re.compile(r"\s*")
_DECODER = json.JSONDecoder()
_OTHER_BYTES = "coresift-other-bytes"


def _decoded(error: UnicodeError) -> tuple[str, int]:
    """Return bytes that are not UTF-8 as the text that they are elsewhere."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return decode(error.object[error.start : error.end]), error.end


codecs.register_error(_OTHER_BYTES, _decoded)


def holds_array(file: RawFile) -> bool:
    """Tell whether a file is an array of objects, rather than lines of which the first begins with a bracket."""
    text = next(_pieces(file), "").lstrip()
    first = _BLANK.match(text, 1).end()  # type: ignore[union-attr] # matches the empty text too
    if text[:1] != "[" or text[first : first + 1] not in ("{", "]"):
        return False
    if text[first] == "]":
        return True
    try:
        _, end = _DECODER.raw_decode(text, first)
    except (ValueError, RecursionError):
        return True
    return text[end:].lstrip()[:1] in (",", "]", "")


def read_array(file: RawFile) -> Iterator[list[object]]:
    """Read the elements of an array, some thousands at a time.

    Raises:
        ValueError: If the array is damaged or cut off, if something follows it, or if an element is longer than a line
            of JSON lines may be.
    """
    pieces = _pieces(file)
    text = next(pieces).lstrip()[1:]
    n_read = 0
    while True:
        values, text, is_whole = _elements(text, is_first=n_read == 0)
        n_read += len(values)
        yield values
        if is_whole:
            break
        piece = next(pieces, None)
        if piece is None or len(text) > LONGEST_LINE:
            raise ValueError(
                f"{file.name} is a JSON array that is damaged or cut off behind its element {n_read}: repair it, or "
                f"write one object per line."
            )
        text += piece
    if text.strip() or any(piece.strip() for piece in pieces):
        raise ValueError(f"{file.name} goes on behind its JSON array: write one array, or one object per line.")


def _elements(text: str, *, is_first: bool) -> tuple[list[object], str, bool]:
    """Return the whole elements at the beginning of a text, what is left of it, and whether the array ends there."""
    values: list[object] = []
    position = 0
    while True:
        start = _BLANK.match(text, position).end()  # type: ignore[union-attr]
        if text[start : start + 1] == "]":
            return values, text[start + 1 :], True
        if values or not is_first:
            if text[start : start + 1] != ",":
                return values, text[position:], False
            start = _BLANK.match(text, start + 1).end()  # type: ignore[union-attr]
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return values, text[position:], False
        if end == len(text) and not isinstance(value, dict | list | str):
            return values, text[position:], False  # the rest of a number may follow
        values.append(value)
        position = end


def _pieces(file: RawFile) -> Iterator[str]:
    """Read a file as text, some megabytes at a time."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors=_OTHER_BYTES)
    with file.open() as stream:
        while chunk := stream.read(_CHUNK):
            yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)
