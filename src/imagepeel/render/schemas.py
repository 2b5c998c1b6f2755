"""The JSON Schema of what each command writes with --json."""

from __future__ import annotations

from typing import Any

from imagepeel.render.json import schema
from imagepeel.results.registry import result_type
from imagepeel.serialization import json_schema

LINES = frozenset(("ls", "tree", "find"))
"""Commands whose --json is one object a line."""


def schema_of(command: str) -> dict[str, Any]:
    """Return the schema of a command's output; of a listing, that of one line.  NotFound for an unknown command."""
    kind = result_type(command)
    if command in LINES:
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **json_schema(kind)}
    return schema(command, kind)
