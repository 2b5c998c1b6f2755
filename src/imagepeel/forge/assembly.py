"""The documents and blobs that follow from what an image shall be (image-spec manifest.md, config.md).

`assemble` turns a spec into the bytes of one image; `archives` lays them out.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import UsageError
from imagepeel.evidence import Location
from imagepeel.forge.compress import SUFFIX, Packing, compress, family
from imagepeel.forge.image import FAULTS, FaultKind, ImageSpec, Step

MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


class Blob(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Stored bytes and what the descriptors say about them."""

    data: bytes
    digest: str
    media_type: str
    size: int
    present: bool = True
    content: bytes = b""
    diff_id: str = ""
    compression: Packing = "none"
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.partition(":")[2]

    def descriptor(self, **more: Any) -> dict[str, Any]:
        """The reference to this blob, as a manifest or index writes it (image-spec descriptor.md)."""
        out: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.urls:
            out["urls"] = list(self.urls)
        if self.annotations:
            out["annotations"] = dict(self.annotations)
        return out | more


class Assembled(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One image as bytes, before it is laid out in an archive."""

    spec: ImageSpec
    layers: tuple[Blob, ...]
    config: Blob
    manifest: Blob
    chain_ids: tuple[str, ...]

    @property
    def platform(self) -> dict[str, str]:
        """The platform object of an index entry."""
        out = {"architecture": self.spec.architecture, "os": self.spec.os}
        return out | ({"variant": self.spec.variant} if self.spec.variant else {})


def digest(data: bytes, algorithm: str = "sha256") -> str:
    """`sha256:<hex>` of bytes.  Raises `UsageError` for algorithms other than sha256, sha384 and sha512."""
    if algorithm not in ("sha256", "sha384", "sha512"):
        raise UsageError(f"no digest algorithm is called {algorithm!r}", hint="known: sha256, sha384, sha512")
    return f"{algorithm}:" + hashlib.new(algorithm, data).hexdigest()


def dump(value: Any, indent: int | None = None) -> bytes:
    """JSON with sorted keys: the same document is always the same bytes."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, sort_keys=True, separators=separators, indent=indent, ensure_ascii=False).encode(
        "utf-8", "surrogateescape"
    )


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """ChainID of each stack of layers (image-spec config.md, "Layer ChainID")."""
    out: list[str] = []
    for diff_id in diff_ids:
        out.append(digest(f"{out[-1]} {diff_id}".encode()) if out else diff_id)
    return tuple(out)


def steps(spec: ImageSpec) -> tuple[Step, ...]:
    """The history: as given, or one step a layer and one empty step for each setting of the config."""
    if spec.history is not None:
        return spec.history
    out = [Step(created_by=layer.created_by or "COPY . / # buildkit", comment=layer.comment) for layer in spec.layers]

    def empty(line: str) -> None:
        out.append(Step(created_by=line, empty=True, comment="buildkit.dockerfile.v0"))

    config = spec.config
    for key, value in (config.get("Labels") or {}).items():
        empty(f"LABEL {key}={value}")
    for item in config.get("Env") or ():
        empty(f"ENV {item}")
    for port in config.get("ExposedPorts") or {}:
        empty(f"EXPOSE [{port}]")
    for path in config.get("Volumes") or {}:
        empty(f"VOLUME [{path}]")
    for key, word in (("WorkingDir", "WORKDIR"), ("User", "USER"), ("StopSignal", "STOPSIGNAL")):
        if config.get(key):
            empty(f"{word} {config[key]}")
    for key, word in (("Entrypoint", "ENTRYPOINT"), ("Cmd", "CMD")):
        words = config.get(key)
        if words:
            empty(f"{word} {words}" if isinstance(words, str) else f"{word} {json.dumps(words)}")
    return tuple(out)


def assemble(spec: ImageSpec, default: Packing = "gzip", force: Packing | Literal[""] = "") -> Assembled:
    """The blobs and documents of one image, before an archive kind lays them out.

    `default` is the compression of layers that name none, `force` one for all layers (both of `COMPRESSIONS`).  The
    layers come in the order of the spec, base first; `chain_ids` has one ChainID for each DiffID that the config
    states.  What is broken on purpose is broken in `data`; `digest` and `size` (bytes) are what the descriptors say.
    Sources: image-spec manifest.md and config.md; with `docker_types` the media types of Docker's schema 2.

    `UsageError` for an unknown fault or compression, for a fault about a layer that is not there, and for a byte to
    flip that is not there.
    """
    work = _Assembly(spec)
    layers = tuple(work.layer(index, default, force) for index in range(len(spec.layers)))
    diff_ids = work.diff_ids(layers)
    config = work.config(diff_ids)
    manifest = work.manifest(config, layers)
    return Assembled(spec=spec, layers=layers, config=config, manifest=manifest, chain_ids=chain_ids(diff_ids))


class _Assembly:
    """A spec on its way to bytes: each method makes one blob or document and does to it what the faults say."""

    def __init__(self, spec: ImageSpec) -> None:
        self.spec = spec
        for fault in spec.faults:
            if fault.kind not in FAULTS:
                raise UsageError(f"no fault is called {fault.kind!r}", hint="known faults: " + ", ".join(FAULTS))
            if fault.layer >= len(spec.layers) and fault.kind in ("layer-bytes", "layer-size", "diff-id"):
                raise UsageError(f"the fault {fault.kind} is about layer {fault.layer}, of {len(spec.layers)}")

    def faults(self, kind: FaultKind, default: Any = None, layer: int | None = None) -> list[Any]:
        """The values of the faults of a kind (about one layer), `default` for those that give none."""
        return [
            default if fault.value is None else fault.value
            for fault in self.spec.faults
            if fault.kind == kind and layer in (None, fault.layer)
        ]

    def edited(self, role: str, data: bytes) -> bytes:
        return data if self.spec.edit is None else self.spec.edit(role, data)

    def damaged(self, role: str, data: bytes) -> bytes:
        return data if self.spec.damage is None else self.spec.damage(role, data)

    def layer(self, index: int, default: Packing, force: Packing | Literal[""]) -> Blob:
        """The stored blob of a layer: packed, then broken."""
        try:
            blob = self.packed(index, default, force)
        except UsageError as error:
            where = msgspec.structs.replace(error.where or Location(), layer=index)
            raise UsageError(error.what, where, error.hint) from None
        data = blob.data
        for at in self.faults("layer-bytes", len(data) // 2, index):
            data = _flip(data, at, 1)
        size = blob.size + sum(self.faults("layer-size", 1, index))
        return msgspec.structs.replace(blob, data=self.damaged(f"layer-{index}", data), size=size)

    def packed(self, index: int, default: Packing, force: Packing | Literal[""]) -> Blob:
        """The blob of a layer as it should be."""
        spec, item = self.spec, self.spec.layers[index]
        compression = (item.compression if item.blob is not None else force or item.compression) or default
        content = self.edited(f"layer-{index}", item.content())
        data = (compress(content, compression) if item.blob is None else item.blob) + item.tail
        suffix = SUFFIX[family(compression)]
        if spec.docker_types:
            media_type = DOCKER_LAYER + ("." + suffix if suffix else "")
        else:
            media_type = MEDIA_LAYER + ("+" + suffix if suffix else "")
        return Blob(
            data=data,
            digest=digest(data, spec.algorithm),
            size=len(data),
            media_type=item.media_type or media_type,
            present=not item.missing,
            content=content,
            diff_id=digest(content),
            compression=compression,
            urls=item.urls,
            annotations=item.annotations,
        )

    def diff_ids(self, layers: Sequence[Blob]) -> list[str]:
        """The DiffIDs as the config states them."""
        out = [blob.diff_id for blob in layers]
        for fault in self.spec.faults:
            if fault.kind == "diff-id":
                out[fault.layer] = fault.value or "sha256:" + "f" * 64
        for count in self.faults("diff-id-count", -1):
            out = out[:count] if count < 0 else out + ["sha256:" + "e" * 64] * count
        return out

    def config(self, diff_ids: Sequence[str]) -> Blob:
        """The image config (image-spec config.md)."""
        spec = self.spec
        value: dict[str, Any] = {
            "architecture": spec.architecture,
            "config": dict(spec.config),
            "created": spec.created,
            "history": self.history(),
            "os": spec.os,
            "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        }
        value |= {key: item for key, item in (("variant", spec.variant), ("author", spec.author)) if item}
        value = {key: item for key, item in (value | dict(spec.extra)).items() if item is not None}
        data = dump(value)
        for item in self.faults("config-duplicate"):
            data = data[:-1] + b"," + dump(sorted(value)[0]) + b":" + dump(item) + b"}"
        media_type = spec.config_type or (DOCKER_CONFIG if spec.docker_types else MEDIA_CONFIG)
        return self.document("config", data, media_type)

    def history(self) -> list[dict[str, Any]]:
        """The steps as the config lists them."""
        out: list[dict[str, Any]] = []
        for step in steps(self.spec):
            item: dict[str, Any] = {"created": step.created, "created_by": step.created_by}
            item |= {key: value for key, value in (("comment", step.comment), ("author", step.author)) if value}
            out.append(item | ({"empty_layer": True} if step.empty else {}))
        for count in self.faults("history-count", -1):
            out = out[:count] if count < 0 else out + [{"created_by": "one more"}] * count
        return out

    def manifest(self, config: Blob, layers: Sequence[Blob]) -> Blob:
        """The image manifest (image-spec manifest.md)."""
        spec = self.spec
        more = {"data": base64.b64encode(config.data).decode()} if spec.inline else {}
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if spec.docker_types else MEDIA_MANIFEST,
            "config": config.descriptor(**more),
            "layers": [blob.descriptor() for blob in layers],
        }
        if spec.annotations:
            value["annotations"] = dict(spec.annotations)
        if spec.artifact_type:
            value["artifactType"] = spec.artifact_type
        if spec.subject is not None:
            value["subject"] = dict(spec.subject)
        return self.document("manifest", dump(value), value["mediaType"])

    def document(self, role: Literal["config", "manifest"], data: bytes, media_type: str) -> Blob:
        """A document as it is stored and as its descriptor tells: other text, another size, broken bytes, or absent."""
        config = role == "config"
        for instead in self.faults("config-text" if config else "manifest-text"):
            data = _bytes(instead)
        data = self.edited(role, data)
        stored = data
        if self.faults("config-bytes" if config else "manifest-bytes"):
            # One letter or digit, so that the document stays JSON: only its digest tells.
            found = max(data.find(b"vnd.oci"), data.find(b"2024-01-01"))
            stored = _flip(data, found if found >= 0 else len(data) // 2, 0x01)
        return Blob(
            data=self.damaged(role, stored),
            digest=digest(data, self.spec.algorithm),
            size=len(data) + (sum(self.faults("config-size", 1)) if config else 0),
            media_type=media_type,
            present=not any(fault.kind == f"{role}-missing" for fault in self.spec.faults),
        )


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _flip(data: bytes, at: int, mask: int) -> bytes:
    if not -len(data) <= at < len(data):
        raise UsageError(f"there is no byte {at} to flip among {len(data)}")
    at %= len(data)
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
