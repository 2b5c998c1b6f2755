"""The bad and the good image of each rule of the family `archive`."""

from __future__ import annotations

from functools import partial

import msgspec

from imagepeel.findings.example import Example, specimen, stored
from imagepeel.forge.attest import Provenance
from imagepeel.forge.entry import (
    directory,
    file,
    symlink,
)
from imagepeel.forge.image import Fault, ImageSpec
from imagepeel.forge.layout import index
from imagepeel.forge.specimens import (
    add,
    complete_root,
    holding,
    sound,
)

_TEXT = "motd\n"
_VERSION = "org.opencontainers.image.version"


def _layers(count: int) -> ImageSpec:
    return sound(*[add(file(f"layer-{number}", "x")) for number in range(count - 1)])


def _flat() -> ImageSpec:
    base = complete_root(directory("dev"), directory("lib"), directory("proc"), directory("usr"), directory("var"))
    return msgspec.structs.replace(sound(base=base), kind="rootfs")


def _attested(line: str) -> ImageSpec:
    """Two layers, and the Dockerfile that the builder states of them; `line` is its last one."""
    spec = sound(add(file("made", "one\n"), by="RUN /bin/sh -c echo one # buildkit"))
    source = f"FROM base\n{line}\n"
    stated = Provenance(dockerfile=source, lines=(*((1, 1) for _ in spec.layers[1:]), (2, 2)))
    return stored(msgspec.structs.replace(spec, provenance=stated), "oci-archive")


EXAMPLES: dict[str, Example] = {
    "TWO-IMAGES": specimen("two-images"),
    "MISSING-PARTS": specimen("missing-blob"),
    "SPARSE-SAVE": Example(
        bad=lambda: index(
            sound(), sound(architecture="arm64", faults=[Fault(kind="manifest-missing")]), names="demo:1"
        ),
        good=lambda: index(sound(), names="demo:1"),
    ),
    "OTHER-PLATFORMS": Example(
        bad=lambda: index(sound(), sound(architecture="arm64"), names="demo:1"),
        good=lambda: index(sound(), names="demo:1"),
    ),
    "PLATFORM-DISAGREES": Example(
        bad=lambda: index(sound(faults=[Fault(kind="config-duplicate", value="arm64")]), names="demo:1"),
        good=lambda: index(sound(), names="demo:1"),
        also=("ODD-DOCUMENTS", "WRONG-ARCHITECTURE"),
    ),
    "DOCUMENTS-DISAGREE": Example(
        bad=lambda: stored(sound(labels={_VERSION: "1.0"}, annotations={_VERSION: "2.0"}), "oci-archive"),
        good=lambda: stored(sound(labels={_VERSION: "2.0"}, annotations={_VERSION: "2.0"}), "oci-archive"),
    ),
    "ATTESTATION-DISAGREES": Example(bad=partial(_attested, "RUN echo two"), good=partial(_attested, "RUN echo one")),
    "WRONG-DIGEST": specimen("wrong-diff-id"),
    "WRONG-SIZE": Example(
        bad=lambda: stored(sound(faults=[Fault(kind="config-size", value=1)]), "oci-archive"),
        good=lambda: stored(sound(), "oci-archive"),
    ),
    "LAYER-COUNT": Example(
        bad=partial(sound, faults=[Fault(kind="diff-id-count", value=1)]), good=sound, also=("HISTORY-SILENT",)
    ),
    "TOO-MANY-LAYERS": Example(bad=partial(_layers, 126), good=partial(_layers, 125)),
    "MEDIA-TYPE-LIE": Example(
        bad=lambda: stored(
            sound(
                add(
                    file("motd", _TEXT),
                    compression="gzip",
                    media_type="application/vnd.oci.image.layer.v1.tar",
                )
            ),
            "oci-archive",
        ),
        good=lambda: stored(sound(add(file("motd", _TEXT), compression="gzip")), "oci-archive"),
    ),
    "COMPRESSED-TAIL": Example(
        bad=lambda: stored(sound(add(file("motd", _TEXT), compression="gzip", tail=b"tail")), "oci-archive"),
        good=lambda: stored(sound(add(file("motd", _TEXT), compression="gzip")), "oci-archive"),
    ),
    "COMPRESSOR-FILES": Example(
        bad=lambda: holding(file(".no.prefetch.landmark", b"\x0f")), good=lambda: holding(symlink("landmark", "etc"))
    ),
    "CONTENTS-DISAGREE": specimen("attack-contents", also=("COMPRESSOR-FILES",)),
    "SUITCASE": Example(
        bad=partial(sound, base=complete_root(file("manifest.json", "[]\n"), file("repositories", "{}\n"))),
        good=partial(sound, base=complete_root(file("manifest.json", "{}\n"))),
    ),
    "NO-PAPERWORK": Example(bad=_flat, good=sound),
    "HISTORY-SILENT": Example(bad=partial(sound, faults=[Fault(kind="history-count", value=1)]), good=sound),
    "ODD-TIME": Example(
        bad=partial(sound, created="1970-01-01T00:00:00Z"), good=partial(sound, created="2024-05-01T00:00:00Z")
    ),
    "PACKER-NAMED": Example(
        bad=lambda: holding(file("motd", "x", uid=1000, gid=1000, uname="jane", gname="staff")),
        good=lambda: holding(file("motd", "x", uid=1000, gid=1000)),
    ),
    "ARCHIVE-FRAMING": Example(bad=partial(sound, created="2023-12-25T00:00:00Z"), good=sound, also=("ODD-TIME",)),
    "ODD-DOCUMENTS": Example(
        bad=partial(sound, faults=[Fault(kind="config-duplicate", value="arm64")]),
        good=sound,
        also=("WRONG-ARCHITECTURE",),
    ),
}
