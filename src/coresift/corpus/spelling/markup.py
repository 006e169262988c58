"""Pages that careless crawls leave where a title should be: their markup goes, and a script is no title at all."""

from __future__ import annotations

import re

_BREAKS = "article|aside|br|dd|div|dl|dt|footer|h[1-6]|header|hr|li|nav|ol|p|section|table|tbody|td|th|thead|tr|ul"
_INLINE = (
    "a|abbr|b|big|body|button|center|code|em|font|form|head|html|i|iframe|img|input|label|link|meta|noscript|option|"
    "pre|script|select|small|span|strike|strong|style|sub|sup|svg|textarea|title|tt|u"
)
"""Tags of HTML. ``<s>`` is none of them here: that is how language models write the start of a text."""

_PROGRAMS = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<!doctype[^>]*>", re.I | re.S)
_CUT_OFF = re.compile(rf"<(?:{_BREAKS}|{_INLINE})\s[^<>]*=[^<>]*\Z", re.I)
_BREAK = re.compile(rf"</?(?:{_BREAKS})(?:\s[^<>]*)?/?>", re.I)
_TAG = re.compile(rf"</?(?:{_INLINE})(?:\s[^<>]*)?/?>", re.I)

_SCRIPT = re.compile(
    r"\(\s*new\s+Date\b"
    r"|\bfunction\s*[\w$]*\s*\([^()]{0,200}\)\s*\{"
    r"|\b(?:var|const)\s+[\w$]+\s*=[^=;]{0,500};"
    r"|\bdocument\.(?:getElementById|querySelector|createElement|write)\b"
    r"|(?<![\w-])[\w-]+\s?\{[^{}:]{0,200}:[^{}]{0,500};[^{}]{0,500}\}"
)
"""What program text and style sheets hold, and titles do not."""


def without_markup(text: str) -> str:
    """Return text without tags, comments and what stands in scripts; empty if what is left is a script itself.

    Only tags of HTML are markup: ``<eos>``, ``I <3 NY`` and ``A < B > C`` stay as they are.
    """
    if "<" in text:
        text = _CUT_OFF.sub(" ", _PROGRAMS.sub(" ", text))
        text = _TAG.sub("", _BREAK.sub(" ", text))
    return "" if _SCRIPT.search(text) else text
