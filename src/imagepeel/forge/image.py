"""What an image shall be: layers, config, history, names; and the documents and blobs that follow from it.

`assemble` turns a spec into the bytes of one image (image-spec manifest.md, config.md); `archives` lays them out.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import UsageError
from imagepeel.evidence import Location
from imagepeel.forge.compress import SUFFIX, Packing, compress, family
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


class Step(Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One history step (image-spec config.md, `history`); `empty` steps have no layer, `created` is RFC 3339."""

    created_by: str = ""
    empty: bool = False
    comment: str = ""
    author: str = ""
    created: str = CREATED


class LayerSpec(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One layer: entries, or the tar bytes themselves in `tar`.

    `compression` is one of `COMPRESSIONS`, or "" for what the archive kind uses by itself.  `media_type` replaces
    the truthful one.  `missing` leaves the blob out of the archive; `urls` make it a foreign layer.  `tail` follows the
    compressed bytes, `trailing` the tar.  `blob` is what is stored instead of the compressed tar, as it is: for
    encrypted layers, artifacts, and layers with their own framing.
    """

    entries: tuple[Entry, ...] = ()
    tar: bytes | None = None
    compression: Packing | Literal[""] = ""
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
        """The uncompressed tar, whose SHA-256 is the DiffID.  `UsageError` for entries that cannot be encoded."""
        if self.tar is not None:
            return self.tar + self.trailing
        return encode(self.entries, end_blocks=self.end_blocks, trailing=self.trailing)

    def __repr__(self) -> str:
        return f"<LayerSpec {len(self.entries)} entries, {self.compression or 'default'} compression>"


ArchiveKind = Literal[
    "docker-archive",
    "docker-v1.0",
    "docker-save-25",
    "docker-containerd",
    "podman-archive",
    "oci-archive",
    "oci-dir",
    "buildx-oci",
    "dir",
    "crane",
    "kaniko",
    "jib",
    "jib-lowercase",
    "rules-oci",
    "nix",
    "nix-stream",
    "apko",
    "rootfs",
    "layer",
]
"""The kinds of archives that the forge writes."""


class ImageSpec(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One image.

    `config` is the runtime part of the image config (Entrypoint, Cmd, Env, ...), `extra` further top-level
    keys.  `history` None derives one step a layer and one empty step a setting, worded as BuildKit does.
    `annotations` are the manifest's, `index_annotations` those of its index entry.  `config_type`, `artifact_type` and
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
    index_annotations: Mapping[str, str] = {}
    algorithm: str = "sha256"
    inline: bool = False
    faults: tuple[Fault, ...] = ()
    edit: Hook | None = None
    damage: Hook | None = None
    other: ImageSpec | None = None
    kind: ArchiveKind | Literal[""] = ""
    description: str = ""

    def __repr__(self) -> str:
        name = ", ".join(self.names) or "unnamed"
        return f"<ImageSpec {name}: {len(self.layers)} layers, {self.os}/{self.architecture}>"


class Fault(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A named way to break an image; `layer` is the 0-based layer it is about, `value` its parameter."""

    kind: FaultKind
    layer: int = 0
    value: Any = None


FaultKind = Literal[
    "layer-bytes",
    "layer-size",
    "diff-id",
    "diff-id-count",
    "config-bytes",
    "config-missing",
    "config-size",
    "config-text",
    "config-duplicate",
    "manifest-bytes",
    "manifest-missing",
    "manifest-text",
    "history-count",
]
FAULTS: dict[FaultKind, str] = {
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
    "manifest-missing": "the manifest blob is left out, or manifest.json of a podman-archive and what stands behind it",
    "manifest-text": "the manifest's bytes are `value`",
    "history-count": "the history has `value` steps too many (positive) or too few (negative; -1)",
}
"""Every named fault and what it does."""


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


def layer(
    *entries: Entry,
    compression: Packing | Literal[""] = "",
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
    """A layer of these entries, in this order, or of the bytes `tar`.

    `created_by` and `comment` are its history step; the rest as in `LayerSpec`.  Returns a value: nothing is packed,
    and no name is checked, before the image is assembled.
    """
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
    index_annotations: Mapping[str, str] | None = None,
    algorithm: str = "sha256",
    inline: bool = False,
    edit: Hook | None = None,
    damage: Hook | None = None,
    other: ImageSpec | None = None,
    kind: ArchiveKind | Literal[""] = "",
    description: str = "",
    created: str = CREATED,
    author: str = "",
) -> ImageSpec:
    """An image of these layers, base first.

    The keyword names are those of a Dockerfile: `env` maps names to values or lists `NAME=VALUE`, `ports` are `80/tcp`,
    `volumes` paths, `stop_signal` a name or number, `healthcheck` the object of Docker (durations in nanoseconds).
    `config` is merged over them with the config's own key names (None removes a key).  A `str` for entrypoint or cmd is
    put there as a string, which is not what the spec asks for.  `names` are references such as `shop:1.4`; `created` is
    RFC 3339.  All others as in `ImageSpec`.

    Returns a value, which `write` and `to_bytes` pack and `assemble` turns into blobs; only they raise `UsageError`.
    Source of the keys: image-spec config.md, and moby's docker-image-spec for `healthcheck`, `onbuild` and `shell`.
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
        index_annotations=index_annotations or {},
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
