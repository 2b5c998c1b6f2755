"""The one place where text of an image is made harmless, per medium: secrets masked, and nothing in it active.

Names, labels, environment and history lines may hold anything: terminal control sequences, characters that reverse
the reading order or that nobody can see, markup.  What is not plainly visible becomes a visible escape such as
`\\x1b` or `\\u202e`; a second call changes nothing.  Sources: ECMA-48 (C0, C1), Unicode TR 9 (bidi controls) and
TR 36 (visual spoofing), CommonMark, GitHub's workflow commands.
"""

from __future__ import annotations

from imagepeel._lazy import late
from imagepeel.evidence import Name, text
from imagepeel.masking import masked

# Characters that str.isprintable accepts and that leave no ink: fillers, variation selectors, blank braille.
_NO_INK = late("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKDOWN = late(r"([\\`*_\[\]|~<>&$@#])")
_AT_START = late(r"^( *)([-+=]|\d+(?=[.)]))")
_LINK = late(r"(?i)(://|\bwww\.)")
_RUN = late("[\u0300-\u036f]{5,}")
"""Stacked accents: five on one letter are no orthography and climb into the lines above."""


def visible(name: Name) -> str:
    """Return the text with its secrets masked, and with everything invisible or active as a visible escape."""
    return exact(masked(text(name)))


def exact(name: Name) -> str:
    """Return the text with everything invisible or active as a visible escape: for names of files, and their bytes.

    Bytes that are no UTF-8 (surrogates, PEP 383) become `\\xNN`, control, format, private and unassigned characters
    and unusual blanks `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`.  Backslashes stay, so the result is for eyes, not for
    decoding.
    """
    shown = text(name)
    if shown.isprintable() and not (not shown.isascii() and (_NO_INK.search(shown) or _RUN.search(shown))):
        return shown
    shown = "".join(c if c.isprintable() and not _NO_INK.match(c) else _escape(c) for c in shown)
    return _RUN.sub(lambda run: "".join(map(_escape, run[0])), shown)


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def terminal(name: Name) -> str:
    """Return the text as a terminal may print it: no secret, and nothing in it can move a cursor or change a colour."""
    return visible(name)


def to_the_letter(name: Name) -> str:
    """Return a line that people copy: as for a terminal, with its tabs, which no escape can stand for."""
    return "\t".join(map(exact, masked(text(name)).split("\t")))


def html(name: Name) -> str:
    """Return the text for HTML content and quoted attributes."""
    from html import escape  # start time

    return escape(visible(name), quote=True)


def markdown(name: Name) -> str:
    """Return the text for Markdown: no character of it is markup, HTML, a mention or a link.

    Not idempotent: a backslash of the text is doubled so that it is shown.
    """
    shown = _MARKDOWN.sub(r"\\\1", visible(name))
    shown = shown.replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")
    # GitHub links bare addresses; a list or heading could begin where the text does.
    shown = _LINK.sub(lambda found: ":\\/\\/" if found[0] == "://" else found[0][:-1] + "\\.", shown)
    return _AT_START.sub(
        lambda found: found[1] + (found[2] + "\\" if found[2][0].isdigit() else "\\" + found[2]), shown
    )


def github(name: Name, *, property: bool = False) -> str:
    """Return the text for a workflow command of GitHub Actions; `property` for what stands before `::`."""
    shown = visible(name).replace("%", "%25")
    return shown.replace(":", "%3A").replace(",", "%2C") if property else shown
