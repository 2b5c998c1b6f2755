"""Numbers in words: the one wording of sizes, counts, lists and cuts.  No escaping: that is the renderers' job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imagepeel._lazy import late
from imagepeel.masking import masked

_LONGEST_PATH = 300
"""Characters of a path that a sentence shows whole."""
_LONG_PATH = late(rf"[^\s\"']{{{_LONGEST_PATH + 1},}}")
_LONG_HEX = late(r"[0-9a-f]{40,}(?:\.(?=\w))?")
_IDENTIFIER = late(r"[a-z][a-z]*[A-Z0-9_./@][^ ]*")
_SIZE = late(r"(\d{1,18})(?:\.(\d{1,9}))?\s*([kKMGT]?)(i?B|)")
_FACTORS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_UNITS = ("kB", "MB", "GB", "TB", "PB")
_SMALL = ("containerd", "podman", "umoci", "runc", "crun", "buildah", "skopeo", "nerdctl", "overlayfs")
_DIGITS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def size(count: int) -> str:
    """A number of bytes with three digits and a decimal unit: `412 B`, `4.10 kB`, `61.3 MB`.

    Decimal, as docker and ls --si say it: 1 kB is 1,000 bytes.
    """
    if abs(count) < 1000:
        return f"{count} B"
    value = float(count)
    for unit in _UNITS:
        value /= 1000
        # 999.5 would be written as 1000 of this unit.
        if abs(value) < 999.5 or unit == _UNITS[-1]:
            break
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:,.{digits}f} {unit}"


def in_bytes(words: str) -> int | None:
    """Return how many bytes `4096`, `1.5M` or `2GB` are, None for what is no size.

    K, M, G, T are powers of 1,024 as in find and dd, kB, MB, GB, TB of 1,000.
    """
    found = _SIZE.fullmatch(words.strip())
    if found is None:
        return None
    whole, part, letter, tail = found.groups()
    unit: int = (1000 if tail == "B" else 1024) ** _FACTORS[letter]
    return int(whole) * unit + (int(part) * unit // 10 ** len(part) if part else 0)


def decimal(word: str | bytes) -> int | None:
    """Return the value of 1 to 18 digits of ASCII; None for anything else.

    Python reads digits of every script and stops in an error at some thousand of them; no tool that we follow does.
    """
    return int(word) if 0 < len(word) <= 18 and word.isascii() and word.isdigit() else None


def number(count: int) -> str:
    """A count with separators: `10,871`."""
    return f"{count:,}"


def exact(count: int) -> str:
    """A number of bytes to the byte: `4,301,312 bytes`."""
    return f"{count:,} byte{'' if count == 1 else 's'}"


def few(count: int) -> str:
    """A small count as a word, a larger one in digits: `five`, `14`."""
    return _DIGITS[count] if 0 <= count < len(_DIGITS) else number(count)


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 layer`, `5 layers`, `2 entries`."""
    return f"{number(count)} {noun(count, one, many)}"


def noun(count: int, one: str, many: str = "") -> str:
    """The noun alone in the number that fits the count."""
    if count == 1:
        return one
    if many:
        return many
    return one[:-1] + "ies" if one.endswith("y") and one[-2:-1] not in "aeiou" else one + "s"


def stated_and_there(stated: int, there: int) -> str:
    """Two sizes that should be one: `10 bytes are stated and 9 are there`."""
    one, two = noun(stated, "is", "are"), noun(there, "is", "are")
    return f"{plural(stated, 'byte')} {one} stated and {number(there)} {two} there"


def article(words: str) -> str:
    """The indefinite article in front of words: `a layer`, `an artifact`, `an application/json`."""
    return "an" if words[:1].lower() in "aeiou" and not words.startswith(("uni", "use")) else "a"


def title(words: str) -> str:
    """The same with its first letter large, unless its first word is a name that is written small: of a program, or one
    with a capital, a digit or a mark in it, as that of a file or a field.
    """
    return words if words.startswith(_SMALL) or _IDENTIFIER.match(words) else words[:1].upper() + words[1:]


def joined(words: Iterable[str], last: str = "and") -> str:
    """A list as a sentence has it: `a`, `a and b`, `a, b and c`."""
    known = list(words)
    if len(known) < 2:
        return "".join(known)
    return f"{', '.join(known[:-1])} {last} {known[-1]}"


def listed(items: Sequence[str], most: int = 6) -> str:
    """A list that shows at most `most` items and counts the others: `a, b, c and 7 more`."""
    shown = list(items[:most])
    if len(items) > most:
        shown.append(f"{number(len(items) - most)} more")
    return joined(shown)


def percent(part: float) -> str:
    """A part of one as `43.3 %`.

    `100.0 %` is for the whole only, `0.0 %` for nothing: what rounds up to the one stays at `99.9 %`, and what rounds
    down to the other is `<0.1 %`.
    """
    value = 100 * part
    if 0 < value < 0.05:
        return "<0.1 %"
    return f"{value if part >= 1 else min(value, 99.9):.1f} %"


def short_digests(text: str) -> str:
    """The same with long digests cut to their first twelve digits, as people compare them."""
    return _LONG_HEX.sub(lambda found: found[0][:12] + "...", text)


def brief_paths(text: str) -> str:
    """The same with the middle of very long paths left out, for sentences that people read; JSON has them whole.

    Linux allows 4,096 bytes, and a screen of one name hides the sentence around it.  Secrets are masked before the cut.
    """
    if len(text) <= _LONGEST_PATH or "/" not in text:
        return text
    return _LONG_PATH.sub(lambda found: _without_middle(found[0]), masked(text))


def _without_middle(path: str) -> str:
    return f"{path[:100]}...({len(path):,} characters)...{path[-60:]}" if "/" in path else path


def shortened(text: str, width: int) -> str:
    """At most `width` characters from the start; what is cut off is shown as `...`.

    Secrets are masked before the cut: no renderer knows the half of a token.
    """
    if len(text) <= width:
        return text
    text = masked(text)
    return text if len(text) <= width else text[: max(0, width - 3)].rstrip() + "..."


def without_middle(text: str, width: int = 80) -> str:
    """At most `width` characters, which is more than 20: the start and the last 17, with `...` between them."""
    if len(text) <= width:
        return text
    text = masked(text)  # before the cut, as above
    return text if len(text) <= width else f"{text[: width - 20]}...{text[-17:]}"
