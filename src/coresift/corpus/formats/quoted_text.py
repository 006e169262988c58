"""Quotation marks and escapes of delimited text, checked and made plain while the text is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO

_LINE_ENDS = b"\r\n"


@dataclass(frozen=True)
class Dialect:
    """How values of delimited text are told apart; each mark is one ASCII character.

    Attributes:
        delimiter: What stands between values.
        quote: What stands around values that hold delimiters or line ends, doubled inside them; empty if nothing does.
        escape: What takes the meaning of the mark or line end behind it, and stands for itself before anything else;
            None if nothing does.
    """

    delimiter: str
    quote: str = '"'
    escape: str | None = None

    def __post_init__(self) -> None:
        """Refuse marks that no text can be read with.

        Raises:
            ValueError: If a mark is not one ASCII character, or if two are the same.
        """
        marks = {"delimiter": self.delimiter, "quote": self.quote, "escape": self.escape}
        given = {name: mark for name, mark in marks.items() if mark is not None and (mark or name != "quote")}
        for name, mark in given.items():
            if len(mark) != 1 or not mark.isascii() or mark in "\0\r\n":
                raise ValueError(
                    f"{name} {mark!r} must be one ASCII character: set another one, or write the file with one."
                )
        if len(set(given.values())) < len(given):
            raise ValueError(f"{', '.join(given)} must differ from each other: change one of them.")


class QuoteCheck:
    """Follows the quotation marks of a text piece by piece, and notices one that does not end a value.

    Attributes:
        fault: What is wrong, as a sentence; empty as long as nothing is.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.fault = ""
        self._marks = dialect
        self._quote = dialect.quote.encode()
        self._ends = dialect.delimiter.encode() + _LINE_ENDS
        quote, ends = re.escape(self._quote), re.escape(self._ends)
        escape = re.escape((dialect.escape or "").encode())
        pair = rb"|" + escape + rb"[\s\S]" if escape else b""
        inside = rb"[^%b%b]*+(?:(?:%b%b%b)[^%b%b]*+)*+" % (quote, escape, quote, quote, pair, quote, escape)
        bare = rb"(?:[^%b%b]%b)" % (ends, escape, pair)
        self._inside = re.compile(inside)
        self._bare = re.compile(bare + rb"*+")
        self._sound = re.compile(
            rb"(?:%b%b%b *+(?=[%b])|(?!%b)%b++|[%b])*+" % (quote, inside, quote, ends, quote, bare, ends)
        )
        self._blanks = re.compile(rb" *+")
        self._rest = b""
        self._is_inside, self._at_start = False, True
        self._n_lines, self._opened_in = 0, 0

    def feed(self, data: bytes) -> None:
        """Follow the next piece."""
        text, self._rest = self._rest + data, b""
        if not self._is_inside and self._quote not in text and self._marks.escape is None:
            self._at_start = text[-1:] in self._ends if text else self._at_start
        else:
            position = 0
            while not self.fault and position < len(text):
                position = self._leave(text, position) if self._is_inside else self._pass(text, position)
        self._n_lines += text.count(b"\n")

    def finish(self) -> None:
        """Notice a value that the end of the text leaves open."""
        if self._is_inside and not self.fault and self._rest.rstrip(b" ") != self._quote:
            self.fault = f"a quotation mark is never closed, first in line {self._opened_in}: {self._remedy()}"

    def _pass(self, text: bytes, position: int) -> int:
        """Go through whole values, up to one that this piece does not end."""
        if not self._at_start:
            position = self._bare.match(text, position).end()  # type: ignore[union-attr] # matches the empty text too
        position = self._sound.match(text, position).end()  # type: ignore[union-attr]
        if position == len(text):
            escaped = self._marks.escape is not None and text[-2:-1] == self._marks.escape.encode()
            self._at_start = text[-1:] in self._ends and not escaped
        elif text[position : position + 1] == self._quote:
            self._is_inside, self._opened_in = True, self._n_lines + text.count(b"\n", 0, position) + 1
            return position + 1
        else:  # an escape whose other half is in the next piece
            self._rest, self._at_start = text[position:], False
        return len(text)

    def _leave(self, text: bytes, position: int) -> int:
        """Go to the end of a quoted value and look at what stands behind it."""
        end = self._inside.match(text, position).end()  # type: ignore[union-attr] # matches the empty text too
        behind = self._blanks.match(text, end + 1).end()  # type: ignore[union-attr]
        if text[end : end + 1] != self._quote or behind >= len(text):
            self._rest = text[end:]
            return len(text)
        if text[behind : behind + 1] in self._ends:
            self._is_inside, self._at_start = False, True
            return behind
        closed_in = self._n_lines + text.count(b"\n", 0, end) + 1
        self.fault = (
            f"a quoted value that begins in line {self._opened_in} goes on behind its closing quotation mark in line "
            f"{closed_in}: {self._remedy()}"
        )
        return len(text)

    def _remedy(self) -> str:
        """Return what can be done about a mark."""
        options = "set quote to an empty text if values are not quoted, or repair that line."
        if self._marks.escape is None:
            return f"set escape if a backslash stands before quotation marks inside values, {options}"
        return options


class CheckedStream:
    """Hands a stream on as pyarrow parses it, checks its quotation marks and counts its lines.

    Attributes:
        quotes: What follows the quotation marks; None where values are not quoted.
        n_lines: Lines that are not empty.
    """

    def __init__(self, stream: IO[bytes], dialect: Dialect) -> None:
        self.quotes = QuoteCheck(dialect) if dialect.quote else None
        self.n_lines = 0
        self.closed = False
        self._stream = stream
        self._tail = b"\n"
        self._escape = (dialect.escape or "").encode()
        special = re.escape((dialect.delimiter + dialect.quote).encode() + self._escape + _LINE_ENDS)
        self._escaped = re.compile(rb"(%b(?:[%b]|\Z))|%b" % (re.escape(self._escape), special, re.escape(self._escape)))
        self._open_escape = b""

    def read(self, size: int = -1) -> bytes:
        """Read what is no longer than ``size``, and nothing more once a fault is found."""
        if not self._escape:
            return self._checked(self._stream.read(size))
        # An escape before anything but a mark stands for itself, which takes a second one: half as much again at most.
        while data := self._checked(self._stream.read(max(size // 2, 2))):
            text = self._escaped.sub(lambda found: found[1] or self._escape * 2, self._open_escape + data)
            n_open = len(text) - len(text.rstrip(self._escape))
            self._open_escape = self._escape if n_open % 2 else b""
            text = text[: len(text) - len(self._open_escape)]
            if text:
                return text
        rest, self._open_escape = self._open_escape * 2, b""
        return rest

    def close(self) -> None:
        """Leave the stream to whoever opened it."""

    def check_quotes(self) -> None:
        """Stop at a quotation mark that is not where one may be, among what was read.

        Raises:
            ValueError: Naming its line and the remedies.
        """
        if self.quotes is not None:
            self.quotes.finish()
            if self.quotes.fault:
                raise ValueError(self.quotes.fault)

    def _checked(self, data: bytes) -> bytes:
        """Count and check a piece."""
        if self.quotes is not None:
            self.quotes.feed(data)
            if self.quotes.fault:
                return b""
        text = self._tail + data
        self.n_lines += len(re.findall(rb"\n\r?(?=[^\r\n])", text))
        self._tail = text[-2:] if text.endswith(b"\n\r") else text[-1:]
        return data
