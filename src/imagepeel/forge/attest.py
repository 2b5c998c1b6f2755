"""Provenance as BuildKit attaches it to an image with `mode=max`: in-toto statements with the Dockerfile and its lines.

Sources: BuildKit's docs/attestations/attestation-storage.md (manifests), slsa-definitions.md (both predicates), and
the in-toto Statement; the artifact form is OCI image-spec 1.1, "Guidelines for Artifact Usage", with a `subject`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from imagepeel._display import Shown

INTOTO = "application/vnd.in-toto+json"
ARTIFACT = "application/vnd.docker.attestation.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
PREDICATES = {"v0.2": "https://slsa.dev/provenance/v0.2", "v1": "https://slsa.dev/provenance/v1"}
_STATEMENTS = {"v0.2": "https://in-toto.io/Statement/v0.1", "v1": "https://in-toto.io/Statement/v1"}
_BUILD_TYPES = {
    "v0.2": "https://mobyproject.org/buildkit@v1",
    "v1": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
}

Lines = tuple[int, int]
"""First and last line of an instruction, from 1."""


class Provenance(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What the builder states of one image.

    `dockerfile` is the source, `lines` are those of the instruction that made each layer, base first, None where the
    statement names none: layers with the same lines come from one step, as those of a base image do.  `version` is that
    of the SLSA predicate, `artifact` stores it as an OCI artifact with a subject.  `mode` min leaves the source out.
    `subject` replaces the digest (hex) that the statement is about, `data` the bytes of the statement.
    """

    dockerfile: str = ""
    lines: tuple[Lines | None, ...] = ()
    version: Literal["v0.2", "v1"] = "v1"
    artifact: bool = False
    mode: Literal["min", "max"] = "max"
    filename: str = "Dockerfile"
    subject: str = ""
    data: bytes | None = None


def statement(
    stated: Provenance, names: Sequence[str], subject: str, layers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The in-toto statement about an image.

    `names` are what the image is called, `subject` the digest of its manifest, `layers` are their descriptors.
    """
    metadata = _metadata(stated, layers) if stated.mode == "max" else {}
    digest = {"sha256": stated.subject or subject.partition(":")[2]}
    predicate = (_one if stated.version == "v1" else _two)(stated, metadata)
    return {
        "_type": _STATEMENTS[stated.version],
        "predicateType": PREDICATES[stated.version],
        "subject": [{"name": f"pkg:docker/{name}", "digest": digest} for name in names or ("image",)],
        "predicate": predicate,
    }


def _one(stated: Provenance, metadata: dict[str, Any]) -> dict[str, Any]:
    inside = {"builderPlatform": "linux/amd64"}
    return {
        "buildDefinition": {
            "buildType": _BUILD_TYPES["v1"],
            "externalParameters": {
                "configSource": {"path": stated.filename},
                "request": {"frontend": "dockerfile.v0", "args": {}, "locals": [{"name": "context"}]},
            },
            "internalParameters": inside | ({"buildConfig": _config(stated)} if stated.mode == "max" else {}),
            "resolvedDependencies": [],
        },
        "runDetails": {
            "builder": {"id": ""},
            "metadata": {
                "invocationId": "forged",
                "buildkit_reproducible": False,
                "buildkit_completeness": {"request": stated.mode == "max", "resolvedDependencies": False},
                "buildkit_metadata": metadata,
            },
        },
    }


def _two(stated: Provenance, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "builder": {"id": ""},
        "buildType": _BUILD_TYPES["v0.2"],
        "materials": [],
        "invocation": {
            "configSource": {"entryPoint": stated.filename},
            "parameters": {"frontend": "dockerfile.v0", "args": {}, "locals": [{"name": "context"}]},
            "environment": {"platform": "linux/amd64"},
        },
        **({"buildConfig": _config(stated)} if stated.mode == "max" else {}),
        "metadata": {
            "buildInvocationID": "forged",
            "completeness": {"parameters": stated.mode == "max", "environment": True, "materials": False},
            "reproducible": False,
            "https://mobyproject.org/buildkit@v1#metadata": metadata,
        },
    }


def _groups(stated: Provenance) -> list[tuple[Lines | None, int]]:
    """The steps, each with the number of layers that the image has after it."""
    out: list[tuple[Lines | None, int]] = []
    for count, lines in enumerate(stated.lines, 1):
        if out and out[-1][0] == lines:
            out[-1] = (lines, count)
        else:
            out.append((lines, count))
    return out


def _config(stated: Provenance) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    for number in range(len(_groups(stated))):
        steps.append({"id": f"step{number}"} | ({"inputs": [f"step{number - 1}:0"]} if number else {}))
    return {"llbDefinition": steps}


def _metadata(stated: Provenance, layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`source` and `layers`: each step names all layers of its result, the base first."""
    locations: dict[str, Any] = {}
    chains: dict[str, Any] = {}
    for number, (lines, count) in enumerate(_groups(stated)):
        ranges = [{"start": {"line": lines[0]}, "end": {"line": lines[1]}}] if lines is not None else []
        locations[f"step{number}"] = {"locations": [{"ranges": ranges}]} if ranges else {}
        chains[f"step{number}:0"] = [[dict(one) for one in layers[:count]]]
    info = {
        "filename": stated.filename,
        "language": "Dockerfile",
        "data": base64.b64encode(stated.dockerfile.encode("utf-8", "surrogateescape")).decode("ascii"),
    }
    return {"source": {"locations": locations, "infos": [info]}, "layers": chains}
