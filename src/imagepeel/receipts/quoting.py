"""Shell words and jq filters that carry any bytes and can run nothing else when a person pastes them."""

from __future__ import annotations

import json
from typing import Any

from imagepeel._lazy import late
from imagepeel.evidence import Name, raw

HEX = "od -A n -v -t x1 | tr -s ' '"
"""What shows bytes in hex, 16 a line, by POSIX alone; BSD's od puts other blanks between them than GNU's."""
LOOK_AT_START = f"head -c 32 | {HEX}"
_BARE = late(rb"[A-Za-z0-9_./:@+,%=-]+")
_TAME = late(rb"(?![-/])[A-Za-z0-9_./:@+,-]+")
_KEY = late(r"[A-Za-z_][A-Za-z0-9_]*")


def quote(word: Name) -> str:
    """Return bash source for one word with exactly these bytes; printable ASCII only.

    Plain words stay as they are; printable ones go in single quotes; anything else in `$'...'` with octal escapes
    (bash(1), QUOTING).  `word` must not hold NUL, which no argument can.
    """
    data = raw(word)
    # An assignment in front of a command and a word that starts with a dash are harmless only behind quotes.
    if _BARE.fullmatch(data) and not data.startswith((b"-", b"=")) and b"=" not in data.partition(b"/")[0]:
        return data.decode("ascii")
    if all(0x20 <= byte < 0x7F for byte in data):
        return "'" + data.decode("ascii").replace("'", "'\\''") + "'"
    return "$'" + "".join(map(_octal, data)) + "'"


def _octal(byte: int) -> str:
    # History expansion of interactive shells looks at ! even there; three digits end an escape for good.
    if byte in b"\\'!" or not 0x20 <= byte < 0x7F:
        return f"\\{byte:03o}"
    return chr(byte)


def file_word(name: Name) -> str:
    """Return the word for a file of this machine, which no program takes for an option."""
    data = raw(name)
    return quote(b"./" + data if data.startswith(b"-") else data)


def is_tame(name: Name) -> bool:
    """Say whether a tar member can be named on GNU tar's command line without any quoting or surprise."""
    data = raw(name)
    parts = data.split(b"/")
    return bool(_TAME.fullmatch(data)) and b".." not in parts and len(data) <= 200


def jq_filter(pointer: str, document: Any = None) -> str:
    """Return the jq filter for a JSON pointer (RFC 6901).

    With the parsed `document`, keys are spelled as it spells them: engines ignore the case of keys, jq does not.
    """
    out = "."
    here = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(here, list) or (here is None and key.isdigit()):
            out += f"[{int(key)}]" if key.isdigit() else "[0]"
            here = here[int(key)] if isinstance(here, list) and key.isdigit() and int(key) < len(here) else None
            continue
        if isinstance(here, dict):
            key = next((known for known in here if known.lower() == key.lower()), key) if key not in here else key
            here = here.get(key)
        else:
            here = None
        plain = _KEY.fullmatch(key)
        dot = "" if out.endswith(".") else "."
        out += f"{dot}{key}" if plain else f"[{json.dumps(key)}]"
    return out


def hex_line(data: bytes) -> str:
    """Return what `HEX` prints first for bytes that start with `data`, as far as 16 of them go; "" for none."""
    return data[:16].hex(" ")


def plain_text(text: str) -> bool:
    """Say whether a text is printable ASCII, so that every tool prints it as it is."""
    return text.isascii() and text.isprintable()
