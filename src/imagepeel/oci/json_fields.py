"""The values of a JSON document, each with the bytes that it stands in and what it is for.

Source: RFC 8259; image-spec manifest.md, image-index.md and config.md; the manifest.json of `docker save`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from imagepeel._lazy import late
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text
from imagepeel.formats.field import Field
from imagepeel.limits import DEFAULT, Limits
from imagepeel.oci.json_document import escaped, parse_json
from imagepeel.text import plural

MOST_VALUES = 1_000
"""Values of one document that are told one by one."""
_DEEPEST = 4
"""Steps of a pointer: a value that lies deeper is told with the one that holds it."""
_BLANKS = late(r"[ \t\r\n]*")
_NUMBER = late(r"/\d+(?=/|$)")

_MEANINGS = {
    "/schemaVersion": "2 in every manifest and index of today.",
    "/mediaType": "What this document is.",
    "/config/mediaType": "What the config is.",
    "/config/digest": "Names the config by its bytes.",
    "/config/size": "Bytes of the config.",
    "/layers/#/mediaType": "How the layer is packed.",
    "/layers/#/digest": "Names a layer by its bytes as stored; base first.",
    "/layers/#/size": "Bytes of the layer as stored.",
    "/manifests/#/mediaType": "What the document is that the digest names.",
    "/manifests/#/digest": "Names a manifest or index by its bytes.",
    "/manifests/#/size": "Bytes of that document.",
    "/manifests/#/platform/architecture": "The machine that it is for.",
    "/manifests/#/platform/os": "The system that it is for.",
    "/architecture": "The machine that the programs are for.",
    "/os": "The system that the programs are for.",
    "/created": "When it was built, as the builder says.",
    "/config/Entrypoint/#": "A word of the command, in front of Cmd.",
    "/config/Cmd/#": "A word of the command, or of its arguments.",
    "/config/Env/#": "A variable of the process.",
    "/config/User": "Who the process is.",
    "/config/WorkingDir": "Where the process starts.",
    "/config/StopSignal": "What asks the process to stop.",
    "/rootfs/diff_ids/#": "Digest of a layer, unpacked: its DiffID; base first.",
    "/rootfs/type": "layers in every config.",
    "/history/#/created_by": "A line of the build.",
    "/history/#/empty_layer": "The line made no layer.",
    "/#/Config": "The member that holds the config.",
    "/#/RepoTags/#": "A name of the image.",
    "/#/Layers/#": "The member that holds a layer; base first.",
    "/imageLayoutVersion": "1.0.0 in every OCI layout.",
}
"""What a value is for, by its pointer with # for each number."""


def json_fields(data: bytes, limits: Limits = DEFAULT) -> tuple[Field, ...]:
    """Return the values of a JSON object or array with their bytes, in order, `MOST_VALUES` at most.

    The name of a field is its JSON pointer, its bytes are the key and the value; between them lie brackets, commas and
    blanks.  () for what is no such document, or breaks the bounds for one.
    """
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    if data[start : start + 64].lstrip()[:1] not in (b"{", b"["):
        return ()
    try:
        parse_json(data, limits=limits)
    except ImagepeelError:
        return ()
    fields: list[Field] = []
    for field in _Walk(data).value(start, "", start, 0):
        if len(fields) == MOST_VALUES:
            break
        fields.append(field)
    return tuple(fields)


class _Walk:
    """A walk over a document that was parsed without an error."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        # One character a byte: structure is ASCII, and offsets stay those of the bytes.
        self.text = data.decode("latin-1")
        self.decoder = json.JSONDecoder()
        self.end = 0

    def skip(self, at: int) -> int:
        """Pass over blanks."""
        found = _BLANKS.match(self.text, at)
        assert found is not None
        return found.end()

    def value(self, at: int, pointer: str, begin: int, depth: int) -> Iterator[Field]:
        """Yield the fields of the value at a place, whose key begins at `begin`; `end` is then behind it."""
        at = self.skip(at)
        first = self.text[at]
        inside = self.skip(at + 1)
        if first not in "{[" or depth == _DEEPEST or self.text[inside] in "}]":
            _, self.end = self.decoder.raw_decode(self.text, at)
            yield self.leaf(at, pointer, begin if depth else at)
            return
        index = 0
        at = inside
        while True:
            key, start = str(index), at
            if first == "{":
                _, end = self.decoder.raw_decode(self.text, at)
                key, _ = parse_json(self.data[at:end])
                at = self.skip(self.skip(end) + 1)
            yield from self.value(at, pointer + escaped(key), start, depth + 1)
            at = self.skip(self.end)
            index += 1
            if self.text[at] != ",":
                self.end = at + 1
                return
            at = self.skip(at + 1)

    def leaf(self, at: int, pointer: str, begin: int) -> Field:
        """Return the field of one value."""
        written = self.data[at : self.end]
        value, _ = parse_json(written)
        if isinstance(value, dict):
            said = plural(len(value), "key")
        elif isinstance(value, list):
            said = plural(len(value), "entry")
        else:
            said = value if isinstance(value, str) else text(written)
        meaning = _MEANINGS.get(_NUMBER.sub("/#", pointer), "")
        return Field(offset=begin, name=pointer, data=self.data[begin : self.end], value=said, meaning=meaning)
