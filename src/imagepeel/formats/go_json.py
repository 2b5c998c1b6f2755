"""What Go's encoding/json says of a text that is no JSON: engines print it, and a person has to find the place.

Follows `checkValid` of encoding/json/scanner.go as it behaves.  Invalid UTF-8 is no error there.
"""

from __future__ import annotations

_SPACE = b" \t\r\n"
_DIGITS = b"0123456789"
_ESCAPES = b'bfnrt\\/"'
_HEX = b"0123456789abcdefABCDEF"
_QUOTED = {
    0x07: "\\a",
    0x08: "\\b",
    0x0C: "\\f",
    0x0A: "\\n",
    0x0D: "\\r",
    0x09: "\\t",
    0x0B: "\\v",
    0x5C: "\\\\",
    0x27: "\\'",
}
_MOST_DEPTH = 10_000
"""Nesting beyond which Go gives up; scanner.go, maxNestingDepth."""
END = "unexpected end of JSON input"


class _Error(Exception):
    """The text is no JSON, in Go's words."""


def syntax_error(data: bytes, *, stream: bool = False) -> str | None:
    """Return Go's sentence about the first byte that makes a text no JSON; None for JSON.

    With `stream`, of the first value, as json.Decoder reads it: a text that ends in it is an unexpected EOF there.
    """
    try:
        _scan(data, only_first=stream)
    except _Error as error:
        if stream and str(error) == END:
            return "unexpected EOF" if data.strip(_SPACE) else "EOF"
        return str(error)
    return None


def _scan(data: bytes, *, only_first: bool) -> None:
    at = _space(data, 0)
    open_: list[int] = []
    while True:
        # A value begins at `at`.
        here = _byte(data, at)
        if here in b"{[":
            open_.append(here)
            if len(open_) > _MOST_DEPTH:
                raise _Error("exceeded max depth")
            at = _space(data, at + 1)
            if here == 0x7B:
                if _byte(data, at) != 0x7D:
                    at = _key(data, at)
                    continue
            elif _byte(data, at) != 0x5D:
                continue
        else:
            at = _scalar(data, at)
        closed = here not in b"{["
        while open_:
            at = _space(data, at)
            mark = _byte(data, at)
            if mark == (0x7D if open_[-1] == 0x7B else 0x5D):
                open_.pop()
                at, closed = at + 1, True
            elif closed and mark == 0x2C:
                break
            else:
                raise _bad(data, at, "after object key:value pair" if open_[-1] == 0x7B else "after array element")
        if not open_:
            at = _space(data, at)
            if at < len(data) and not only_first:
                raise _bad(data, at, "after top-level value")
            return
        at = _space(data, at + 1)
        if open_[-1] == 0x7B:
            at = _key(data, at)


def _key(data: bytes, at: int) -> int:
    """Read a key and its colon; return where the value begins."""
    if _byte(data, at) != 0x22:
        raise _bad(data, at, "looking for beginning of object key string")
    at = _space(data, _string(data, at))
    if _byte(data, at) != 0x3A:
        raise _bad(data, at, "after object key")
    return _space(data, at + 1)


def _scalar(data: bytes, at: int) -> int:
    here = _byte(data, at)
    if here == 0x22:
        return _string(data, at)
    if here == 0x2D or here in _DIGITS:
        return _number(data, at)
    for word in (b"true", b"false", b"null"):
        if here == word[0]:
            for i in range(1, len(word)):
                if _byte(data, at + i) != word[i]:
                    raise _bad(data, at + i, f"in literal {word.decode()} (expecting '{chr(word[i])}')")
            return at + len(word)
    raise _bad(data, at, "looking for beginning of value")


def _string(data: bytes, at: int) -> int:
    at += 1
    while True:
        here = _byte(data, at)
        if here == 0x22:
            return at + 1
        if here == 0x5C:
            at += 1
            escaped = _byte(data, at)
            if escaped == 0x75:
                for i in range(1, 5):
                    if _byte(data, at + i) not in _HEX:
                        raise _bad(data, at + i, "in \\u hexadecimal character escape")
                at += 4
            elif escaped not in _ESCAPES:
                raise _bad(data, at, "in string escape code")
        elif here < 0x20:
            raise _bad(data, at, "in string literal")
        at += 1


def _number(data: bytes, at: int) -> int:
    if data[at] == 0x2D:
        at += 1
        if _byte(data, at) not in _DIGITS:
            raise _bad(data, at, "in numeric literal")
    at = at + 1 if data[at] == 0x30 else _run(data, at)
    if data[at : at + 1] == b".":
        at += 1
        if _byte(data, at) not in _DIGITS:
            raise _bad(data, at, "after decimal point in numeric literal")
        at = _run(data, at)
    if data[at : at + 1] in (b"e", b"E"):
        at += 1
        if data[at : at + 1] in (b"+", b"-"):
            at += 1
        if _byte(data, at) not in _DIGITS:
            raise _bad(data, at, "in exponent of numeric literal")
        at = _run(data, at)
    return at


def _run(data: bytes, at: int) -> int:
    while at < len(data) and data[at] in _DIGITS:
        at += 1
    return at


def _space(data: bytes, at: int) -> int:
    while at < len(data) and data[at] in _SPACE:
        at += 1
    return at


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise _Error(END)
    return data[at]


def _bad(data: bytes, at: int, context: str) -> _Error:
    here = data[at]
    shown = _QUOTED.get(here) or (
        chr(here)
        if 0x20 <= here < 0x7F or (here >= 0xA1 and here != 0xAD)
        else f"\\x{here:02x}"
        if here < 0x80
        else f"\\u{here:04x}"
    )
    return _Error(f"invalid character '{shown}' {context}")
