"""One JSON object a line, for listings that are too long for one document."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from imagepeel._lazy import late
from imagepeel.serialization import to_json

# JSON lets these stand as they are; a terminal obeys them or shows them in the wrong order.  They only occur inside
# strings, where an escape means the same.
_LOUD = late(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def line(value: Any) -> str:
    """Return a value as one line of JSON without characters that control a terminal.

    Lone surrogates, which only documents with odd escapes bring, come out as the same escapes.
    """
    try:
        out = to_json(value).decode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))
    return _LOUD.sub(_escape, out)


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
