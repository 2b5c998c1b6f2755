"""What a manifest stands for: an image to run, or something else that is stored the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from imagepeel._lazy import late
from imagepeel.archive.records import RecordKind
from imagepeel.oci.descriptor import REFERENCE_TYPE, Descriptor
from imagepeel.oci.manifest import Manifest
from imagepeel.oci.media_types import IMAGE_CONFIGS, classify
from imagepeel.text import article

_COSIGN_TAG = late(r"(?:.*[:/])?(?:_cosign:)?sha256-[0-9a-f]{64}\.(?:sig|att|sbom)")
_COSIGN_KIND = "dev.cosignproject.cosign/"


def kind_of_manifest(
    manifest: Manifest, annotations: Mapping[str, str], names: Iterable[str] = ()
) -> tuple[RecordKind, str]:
    """Return (kind, the sentence that says why) for a manifest and the annotations of its descriptor.

    A config with a root filesystem is not enough: attestations and signatures carry one too, with the digests of
    their JSON as DiffIDs.
    """
    given = _by_descriptor(manifest.artifact_type, annotations, names)
    if given is not None:
        return given
    config = manifest.config
    config_type = config.media_type if config else ""
    roles = [classify(layer.media_type).role for layer in manifest.layers]
    config_role = classify(config_type).role
    if roles and all(role == "attestation" for role in roles):
        return RecordKind.ATTESTATION, "all its blobs are in-toto statements"
    if any(role == "cosign" for role in roles):
        return RecordKind.COSIGN, "its blobs are signatures or signed statements"
    if config_role in ("helm", "wasm", "checkpoint", "buildkit-cache"):
        return RecordKind(config_role), f"its config is {article(config_type)} {config_type}"
    if "wasm" in roles:
        return RecordKind.WASM, "one of its blobs is a WebAssembly module"
    if "checkpoint" in roles:
        return RecordKind.CHECKPOINT, "it holds the memory of a stopped process"
    if config_type and config_type not in IMAGE_CONFIGS:
        return RecordKind.ARTIFACT, f"its config is {article(config_type)} {config_type}, not an image config"
    if manifest.artifact_type and config_type not in IMAGE_CONFIGS:
        return RecordKind.ARTIFACT, f"it calls itself {article(manifest.artifact_type)} {manifest.artifact_type}"
    if roles and "layer" not in roles:
        return (
            RecordKind.ARTIFACT,
            f"its blobs are {manifest.layers[0].media_type or 'of no stated type'}, not file system layers",
        )
    if not config and not roles:
        return RecordKind.ARTIFACT, "it has neither a config nor layers"
    return RecordKind.IMAGE, "it has an image config and layers" if roles else "it has an image config and no layers"


def kind_of_descriptor(descriptor: Descriptor, names: Iterable[str] = ()) -> tuple[RecordKind, str]:
    """Return (kind, why) for a descriptor whose manifest is missing."""
    given = _by_descriptor(descriptor.artifact_type, descriptor.annotations, names)
    if given is not None:
        return given
    role = classify(descriptor.media_type).role
    if role in ("manifest", "schema1"):
        if descriptor.artifact_type:
            return (
                RecordKind.ARTIFACT,
                f"the index calls it {article(descriptor.artifact_type)} {descriptor.artifact_type}",
            )
        return RecordKind.IMAGE, "the index lists it as an image manifest"
    if role in ("layer", "buildkit-cache"):
        return RecordKind.BUILDKIT_CACHE, "the index lists layers directly, as a build cache does"
    if role in ("helm", "wasm", "attestation", "cosign"):
        return RecordKind(role), f"the index lists it as {descriptor.media_type}"
    return RecordKind.UNKNOWN, f"the index lists it as {descriptor.media_type or 'a blob of no stated type'}"


def _by_descriptor(
    artifact_type: str, annotations: Mapping[str, str], names: Iterable[str]
) -> tuple[RecordKind, str] | None:
    if annotations.get(REFERENCE_TYPE) == "attestation-manifest":
        return RecordKind.ATTESTATION, f"the index marks it {REFERENCE_TYPE}=attestation-manifest"
    kind = annotations.get("kind", "")
    if kind.startswith(_COSIGN_KIND) and kind[len(_COSIGN_KIND) :] in ("sigs", "atts"):
        return RecordKind.COSIGN, f"the index marks it kind={kind}"
    if any(_COSIGN_TAG.fullmatch(name) for name in names):
        return RecordKind.COSIGN, "its tag is the name that cosign gives to signatures of another image"
    if artifact_type.startswith("application/vnd.docker.attestation"):
        return RecordKind.ATTESTATION, f"it calls itself {article(artifact_type)} {artifact_type}"
    if artifact_type.startswith(("application/vnd.dev.sigstore", "application/vnd.dev.cosign")):
        return RecordKind.COSIGN, f"it calls itself {article(artifact_type)} {artifact_type}"
    return None
