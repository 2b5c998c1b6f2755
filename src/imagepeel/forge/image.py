"""What an image shall be: layers, config, history, names; and the documents and blobs that follow from it.

`assemble` turns a spec into the bytes of one image (image-spec manifest.md, config.md); `archives` lays them out.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from imagepeel.errors import UsageError
from imagepeel.evidence import Location
from imagepeel.forge.compress import SUFFIX, compress, family
from imagepeel.forge.entry import MTIME, Entry
from imagepeel.forge.tar import encode

CREATED = "2024-01-01T00:00:00Z"
MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

Hook = Callable[[str, bytes], bytes]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One history step; `empty` steps have no layer."""

    created_by: str = ""
    empty: bool = False
    comment: str = ""
    author: str = ""
    created: str = CREATED


class LayerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One layer: entries, or the tar bytes themselves in `tar`.

    `compression` is one of `COMPRESSIONS`, or "" for what the archive kind uses by itself.  `media_type` replaces
    the truthful one.  `missing` leaves the blob out of the archive; `urls` make it a foreign layer.  `tail` follows the
    compressed bytes, `trailing` the tar.  `blob` is what is stored instead of the compressed tar, as it is: for
    encrypted layers, artifacts, and layers with their own framing.
    """

    entries: tuple[Entry, ...] = ()
    tar: bytes | None = None
    compression: str = ""
    created_by: str = ""
    comment: str = ""
    media_type: str = ""
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}
    missing: bool = False
    end_blocks: int = 2
    trailing: bytes = b""
    tail: bytes = b""
    blob: bytes | None = None

    def content(self) -> bytes:
        """The uncompressed tar, whose SHA-256 is the DiffID."""
        if self.tar is not None:
            return self.tar + self.trailing
        return encode(self.entries, end_blocks=self.end_blocks, trailing=self.trailing)

    def __repr__(self) -> str:
        return f"<LayerSpec {len(self.entries)} entries, {self.compression or 'default'} compression>"


class ImageSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One image.

    `config` is the runtime part of the image config (Entrypoint, Cmd, Env, ...), `extra` further top-level
    keys.  `history` None derives one step a layer and one empty step a setting, worded as BuildKit does.
    `annotations` are the manifest's, `marks` those of its index entry.  `config_type`, `artifact_type` and
    `subject` (a descriptor) make an artifact of it; `inline` puts the config into its descriptor as well; `algorithm`
    is that of the blobs' digests, sha256 or, in OCI layouts, sha512 (DiffIDs stay SHA-256).

    `faults` break it by name (see `FAULTS`); `edit` and `damage` are called with (role, bytes) for each document
    and blob, before and after its digest is taken.  `other` is the image that the OCI half of a hybrid
    describes instead; `kind` the archive kind that shows the point best.
    """

    layers: tuple[LayerSpec, ...] = ()
    config: Mapping[str, Any] = {}
    names: tuple[str, ...] = ()
    architecture: str = "amd64"
    os: str = "linux"
    variant: str = ""
    created: str = CREATED
    author: str = ""
    history: tuple[Step, ...] | None = None
    extra: Mapping[str, Any] = {}
    annotations: Mapping[str, str] = {}
    docker_types: bool = False
    config_type: str = ""
    artifact_type: str = ""
    subject: Mapping[str, Any] | None = None
    marks: Mapping[str, str] = {}
    algorithm: str = "sha256"
    inline: bool = False
    faults: tuple[Fault, ...] = ()
    edit: Hook | None = None
    damage: Hook | None = None
    other: ImageSpec | None = None
    kind: str = ""
    description: str = ""

    def __repr__(self) -> str:
        name = ", ".join(self.names) or "unnamed"
        return f"<ImageSpec {name}: {len(self.layers)} layers, {self.os}/{self.architecture}>"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A named way to break an image; `layer` is the 0-based layer it is about, `value` its parameter."""

    kind: str
    layer: int = 0
    value: Any = None


FAULTS = {
    "layer-bytes": "one byte of the stored layer is flipped after its digest was taken",
    "layer-size": "the layer's descriptor states a size that is off by `value` (1)",
    "diff-id": "the config states another DiffID for the layer (`value`, or 64 times f)",
    "diff-id-count": "the config lists `value` DiffIDs too many (positive) or too few (negative; -1)",
    "config-bytes": "one byte of the stored config is changed after its digest was taken",
    "config-missing": "the config blob is left out",
    "config-size": "the config's descriptor states a size that is off by `value` (1)",
    "config-text": "the config's bytes are `value`",
    "config-duplicate": "the config has its first key twice, the second time with `value`",
    "manifest-bytes": "one byte of the stored manifest is changed after its digest was taken",
    "manifest-missing": "the manifest blob is left out",
    "manifest-text": "the manifest's bytes are `value`",
    "history-count": "the history has `value` steps too many (positive) or too few (negative; -1)",
}
"""Every named fault and what it does."""


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """Stored bytes and what the descriptors say about them."""

    data: bytes
    digest: str
    media_type: str
    size: int
    present: bool = True
    content: bytes = b""
    diff_id: str = ""
    compression: str = "none"
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


class Assembled(msgspec.Struct, frozen=True, kw_only=True):
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


def layer(
    *entries: Entry,
    compression: str = "",
    created_by: str = "",
    tar: bytes | None = None,
    media_type: str = "",
    urls: Sequence[str] = (),
    missing: bool = False,
    end_blocks: int = 2,
    trailing: bytes = b"",
    tail: bytes = b"",
    blob: bytes | None = None,
    comment: str = "buildkit.dockerfile.v0",
    annotations: Mapping[str, str] | None = None,
) -> LayerSpec:
    """A layer of these entries (or of the bytes `tar`)."""
    return LayerSpec(
        entries=entries,
        tar=tar,
        compression=compression,
        created_by=created_by,
        comment=comment,
        media_type=media_type,
        urls=tuple(urls),
        annotations=annotations or {},
        missing=missing,
        end_blocks=end_blocks,
        trailing=trailing,
        tail=tail,
        blob=blob,
    )


def image(
    *layers: LayerSpec,
    entrypoint: Sequence[str] | str | None = None,
    cmd: Sequence[str] | str | None = None,
    env: Mapping[str, str] | Sequence[str] | None = None,
    user: str | None = None,
    workdir: str | None = None,
    labels: Mapping[str, str] | None = None,
    volumes: Sequence[str] = (),
    ports: Sequence[str] = (),
    stop_signal: str | None = None,
    healthcheck: Mapping[str, Any] | None = None,
    shell: Sequence[str] | None = None,
    onbuild: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    names: Sequence[str] | str = (),
    architecture: str = "amd64",
    os: str = "linux",
    variant: str = "",
    history: Sequence[Step] | None = None,
    faults: Sequence[Fault] = (),
    extra: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
    docker_types: bool = False,
    config_type: str = "",
    artifact_type: str = "",
    subject: Mapping[str, Any] | None = None,
    marks: Mapping[str, str] | None = None,
    algorithm: str = "sha256",
    inline: bool = False,
    edit: Hook | None = None,
    damage: Hook | None = None,
    other: ImageSpec | None = None,
    kind: str = "",
    description: str = "",
    created: str = CREATED,
    author: str = "",
) -> ImageSpec:
    """An image of these layers, base first.

    The keyword names are those of a Dockerfile; `config` is merged over them with the config's own key names
    (None removes a key).  A `str` for entrypoint or cmd is put there as a string, which is not what the spec asks for.
    """
    runtime: dict[str, Any] = {}
    if env is not None:
        runtime["Env"] = [f"{key}={value}" for key, value in env.items()] if isinstance(env, Mapping) else list(env)
    for key, words in (("Entrypoint", entrypoint), ("Cmd", cmd), ("Shell", shell)):
        if words is not None:
            runtime[key] = words if isinstance(words, str) else list(words)
    for key, value in (("User", user), ("WorkingDir", workdir), ("StopSignal", stop_signal)):
        if value is not None:
            runtime[key] = value
    if labels is not None:
        runtime["Labels"] = dict(labels)
    if volumes:
        runtime["Volumes"] = {path: {} for path in volumes}
    if ports:
        runtime["ExposedPorts"] = {port: {} for port in ports}
    if healthcheck is not None:
        runtime["Healthcheck"] = dict(healthcheck)
    if onbuild:
        runtime["OnBuild"] = list(onbuild)
    for key, value in (config or {}).items():
        if value is None:
            runtime.pop(key, None)
        else:
            runtime[key] = value
    return ImageSpec(
        layers=layers,
        config=runtime,
        names=(names,) if isinstance(names, str) else tuple(names),
        architecture=architecture,
        os=os,
        variant=variant,
        created=created,
        author=author,
        history=None if history is None else tuple(history),
        extra=extra or {},
        annotations=annotations or {},
        docker_types=docker_types,
        config_type=config_type,
        artifact_type=artifact_type,
        subject=subject,
        marks=marks or {},
        algorithm=algorithm,
        inline=inline,
        faults=tuple(faults),
        edit=edit,
        damage=damage,
        other=other,
        kind=kind,
        description=description,
    )


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


def assemble(spec: ImageSpec, default: str = "gzip", force: str = "") -> Assembled:
    """The blobs and documents of one image.

    `default` is the compression of layers that name none, `force` one for all layers.  Raises `UsageError`
    for unknown faults and compressions and for a fault about a layer that is not there.
    """
    faults: dict[str, list[Fault]] = {}
    for fault in spec.faults:
        if fault.kind not in FAULTS:
            raise UsageError(f"no fault is called {fault.kind!r}", hint="known faults: " + ", ".join(FAULTS))
        if fault.layer >= len(spec.layers) and fault.kind in ("layer-bytes", "layer-size", "diff-id"):
            raise UsageError(f"the fault {fault.kind} is about layer {fault.layer}, of {len(spec.layers)}")
        faults.setdefault(fault.kind, []).append(fault)

    def edited(role: str, data: bytes) -> bytes:
        return data if spec.edit is None else spec.edit(role, data)

    def damaged(role: str, data: bytes) -> bytes:
        if faults.get(f"{role}-bytes"):
            # One letter or digit, so that the document stays JSON: only its digest tells.
            found = max(data.find(b"vnd.oci"), data.find(b"2024-01-01"))
            data = _flip(data, found if found >= 0 else len(data) // 2, 0x01)
        return data if spec.damage is None else spec.damage(role, data)

    blobs = []
    for index, item in enumerate(spec.layers):
        try:
            packing = item.compression if item.blob is not None else force or item.compression
            blob = _layer_blob(spec, item, packing or default, edited, index)
        except UsageError as error:
            where = msgspec.structs.replace(error.where or Location(), layer=index)
            raise UsageError(error.what, where, error.hint) from None
        data, size = blob.data, blob.size
        for fault in faults.get("layer-bytes", ()):
            if fault.layer == index:
                data = _flip(data, len(data) // 2 if fault.value is None else fault.value, 1)
        for fault in faults.get("layer-size", ()):
            if fault.layer == index:
                size += 1 if fault.value is None else fault.value
        if spec.damage is not None:
            data = spec.damage(f"layer-{index}", data)
        blobs.append(msgspec.structs.replace(blob, data=data, size=size))

    diff_ids = [blob.diff_id for blob in blobs]
    for fault in faults.get("diff-id", ()):
        diff_ids[fault.layer] = fault.value or "sha256:" + "f" * 64
    for fault in faults.get("diff-id-count", ()):
        count = -1 if fault.value is None else fault.value
        diff_ids = diff_ids[:count] if count < 0 else diff_ids + ["sha256:" + "e" * 64] * count
    config_data = edited("config", _config(spec, diff_ids, faults))
    config_type = spec.config_type or (DOCKER_CONFIG if spec.docker_types else MEDIA_CONFIG)
    config = _document(spec, config_data, config_type, faults, "config", damaged)
    more = {"data": base64.b64encode(config.data).decode()} if spec.inline else {}

    manifest_value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST if spec.docker_types else MEDIA_MANIFEST,
        "config": config.descriptor(**more),
        "layers": [blob.descriptor() for blob in blobs],
    }
    if spec.annotations:
        manifest_value["annotations"] = dict(spec.annotations)
    if spec.artifact_type:
        manifest_value["artifactType"] = spec.artifact_type
    if spec.subject is not None:
        manifest_value["subject"] = dict(spec.subject)
    manifest_data = dump(manifest_value)
    for fault in faults.get("manifest-text", ()):
        manifest_data = _bytes(fault.value)
    manifest_data = edited("manifest", manifest_data)
    manifest = _document(spec, manifest_data, manifest_value["mediaType"], faults, "manifest", damaged)
    return Assembled(spec=spec, layers=tuple(blobs), config=config, manifest=manifest, chain_ids=chain_ids(diff_ids))


def _layer_blob(
    spec: ImageSpec, item: LayerSpec, compression: str, edited: Callable[[str, bytes], bytes], index: int
) -> Blob:
    content = edited(f"layer-{index}", item.content())
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


def _config(spec: ImageSpec, diff_ids: list[str], faults: Mapping[str, list[Fault]]) -> bytes:
    for fault in faults.get("config-text", ()):
        return _bytes(fault.value)
    history: list[dict[str, Any]] = []
    for step in steps(spec):
        item: dict[str, Any] = {"created": step.created, "created_by": step.created_by}
        item |= {key: value for key, value in (("comment", step.comment), ("author", step.author)) if value}
        history.append(item | ({"empty_layer": True} if step.empty else {}))
    for fault in faults.get("history-count", ()):
        count = -1 if fault.value is None else fault.value
        history = history[:count] if count < 0 else history + [{"created_by": "one more"}] * count
    value: dict[str, Any] = {
        "architecture": spec.architecture,
        "config": dict(spec.config),
        "created": spec.created,
        "history": history,
        "os": spec.os,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    if spec.variant:
        value["variant"] = spec.variant
    if spec.author:
        value["author"] = spec.author
    value = {key: item for key, item in (value | dict(spec.extra)).items() if item is not None}
    data = dump(value)
    for fault in faults.get("config-duplicate", ()):
        data = data[:-1] + b"," + dump(sorted(value)[0]) + b":" + dump(fault.value) + b"}"
    return data


def _document(
    spec: ImageSpec,
    data: bytes,
    media_type: str,
    faults: Mapping[str, list[Fault]],
    role: str,
    damaged: Callable[[str, bytes], bytes],
) -> Blob:
    size = len(data)
    for fault in faults.get(f"{role}-size", ()):
        size += 1 if fault.value is None else fault.value
    return Blob(
        data=damaged(role, data),
        digest=digest(data, spec.algorithm),
        size=size,
        media_type=media_type,
        present=not faults.get(f"{role}-missing"),
    )


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _flip(data: bytes, at: int, mask: int) -> bytes:
    if not -len(data) <= at < len(data):
        raise UsageError(f"there is no byte {at} to flip among {len(data)}")
    at %= len(data)
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


__all__ = [
    "CREATED",
    "FAULTS",
    "MTIME",
    "Assembled",
    "Blob",
    "Fault",
    "ImageSpec",
    "LayerSpec",
    "Step",
    "assemble",
    "chain_ids",
    "digest",
    "dump",
    "image",
    "layer",
    "steps",
]
