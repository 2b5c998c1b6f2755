"""A config of which readers of JSON think differently is read as Go's encoding/json reads it: every value counts.

The sentences were printed by Go 1.19, json.Unmarshal into structs of the same fields.
"""

from __future__ import annotations

import io

import pytest

import imagepeel
from imagepeel import forge

USER = b'"User":"app"'
NUMBER = "json: cannot unmarshal number into Go struct field Config.config.User of type string"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (USER, USER, ""),
        (USER, b'"User":1', NUMBER),
        (USER, b'"User":1,"User":"app"', NUMBER),
        (USER, b'"User":"app","user":1', NUMBER),
        (b'{"architecture"', b'\xef\xbb\xbf{"architecture"', "invalid character 'ï' looking for beginning of value"),
        (b'{"architecture"', b'{}{"architecture"', "invalid character '{' after top-level value"),
    ],
    ids=["plain", "number", "twice", "other case", "mark", "two values"],
)
def test_what_docker_says_of_a_config(before: bytes, after: bytes, said: str) -> None:
    def edit(role: str, data: bytes) -> bytes:
        return data.replace(before, after) if role == "config" else data

    spec = forge.image(forge.layer(forge.file("x", b"x")), entrypoint=["/x"], user="app", edit=edit)
    with imagepeel.open(io.BytesIO(forge.to_bytes(spec, "docker-archive"))) as archive:
        answer = next(one for one in archive.image().loadable() if one.tool == "docker@20.10")
    assert bool(answer) == (not said)
    assert said in answer.text
