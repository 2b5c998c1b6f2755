"""PAX extended header bodies: `LENGTH KEY=VALUE\\n` records (POSIX.1-2001 pax, "Extended Header").

Read as Go's archive/tar `parsePAX` reads them: one malformed record makes the whole archive invalid.
"""

from __future__ import annotations

from imagepeel._lazy import late
from imagepeel.formats.tar.header import INVALID_HEADER, TarError

XATTR = b"SCHILY.xattr."
_NAMES = frozenset((b"path", b"linkpath", b"uname", b"gname"))
_SPARSE_00 = frozenset((b"GNU.sparse.offset", b"GNU.sparse.numbytes"))
_MTIME = late(rb"(\d\d) mtime=(\d{1,18})(?:\.(\d{1,9}))?\n")
MAPPED = _NAMES | {b"size", b"uid", b"gid", b"mtime", b"atime", b"ctime"}
"""Keys whose value replaces a header field; all others are kept beside the entry."""


def parse_pax(body: bytes) -> dict[bytes, bytes]:
    """Return the records of one extended header, later ones winning.

    An empty value means "use the header field" and stays empty here.  The repeated GNU.sparse.offset/numbytes
    pairs of sparse format 0.0 are joined to one GNU.sparse.map.  TarError on any malformed record.
    """
    records: dict[bytes, bytes] = {}
    sparse: list[bytes] = []
    at, end = 0, len(body)
    while at < end:
        space = body.find(b" ", at, at + 21)
        length = _decimal(body[at:space]) if space > at else -1
        after = at + length
        if length < 5 or after > end or after <= space + 1 or body[after - 1] != 0x0A:
            raise TarError(INVALID_HEADER, f"the PAX record at byte {at} of its header has a wrong length")
        key, equals, value = body[space + 1 : after - 1].partition(b"=")
        if not equals or not key or b"\0" in (value if key in _NAMES else key):
            raise TarError(INVALID_HEADER, f"the PAX record at byte {at} of its header is malformed")
        if key in _SPARSE_00:
            expected = b"GNU.sparse.numbytes" if len(sparse) % 2 else b"GNU.sparse.offset"
            if key != expected or b"," in value:
                raise TarError(INVALID_HEADER, "the GNU.sparse records are out of order")
            sparse.append(value)
        else:
            records[key] = value
        at = after
    if sparse:
        records[b"GNU.sparse.map"] = b",".join(sparse)
    return records


def only_mtime(body: bytes) -> tuple[int, int] | None:
    """Return the seconds and nanoseconds of records that are one time of change, None for all others.

    Most extended headers are that; `parse_pax` and `timestamp` say the same of them at three times the cost.
    """
    found = _MTIME.fullmatch(body)
    if found is None or int(found[1]) != len(body):
        return None
    return int(found[2]), int(found[3].ljust(9, b"0")) if found[3] else 0


def _decimal(digits: bytes) -> int:
    """Return a record length as Go's ParseInt takes it (a sign is allowed), -1 when it is none."""
    if digits.isdigit() and len(digits) < 19:
        return int(digits)
    unsigned = digits[1:] if digits[:1] in (b"+", b"-") else digits
    if not unsigned.isdigit() or len(unsigned) > 19:
        return -1
    return int(digits)


def integer(value: bytes, key: str) -> int:
    """Return a decimal PAX number within 64 bits.  TarError otherwise."""
    unsigned = value[1:] if value[:1] in (b"+", b"-") else value
    if unsigned.isdigit() and len(unsigned) < 25:
        number = int(value)
        if -(1 << 63) <= number < 1 << 63:
            return number
    raise TarError(INVALID_HEADER, f"the PAX value of {key} is not a 64-bit number")


def timestamp(value: bytes, key: str) -> tuple[int, int]:
    """Return (seconds, nanoseconds) of a decimal time; the fraction is cut to 9 digits and counts from below.

    For -1.5 that is (-2, 500000000).  TarError when it is no number.
    """
    whole, _, fraction = value.partition(b".")
    seconds = integer(whole, key)
    if not fraction:
        return seconds, 0
    if not fraction.isdigit():
        raise TarError(INVALID_HEADER, f"the PAX value of {key} is not a time")
    nanoseconds = int(fraction[:9].ljust(9, b"0"))
    if whole[:1] == b"-" and nanoseconds:
        return seconds - 1, 1_000_000_000 - nanoseconds
    return seconds, nanoseconds
