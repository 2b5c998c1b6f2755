"""What an image shall be: layers, config, history, names; `assembly` makes the bytes that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.forge.attest import Provenance
from imagepeel.forge.compress import Packing
from imagepeel.forge.entry import Entry
from imagepeel.forge.tar import encode

CREATED = "2024-01-01T00:00:00Z"

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
    and blob, before and after its digest is taken.  `provenance` is what the builder states of it, which layouts with
    an index carry.  `other` is the image that the OCI half of a hybrid
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
    provenance: Provenance | None = None
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
"""What may be wrong with an image; `FAULTS` says it in words."""
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
    provenance: Provenance | None = None,
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
        provenance=provenance,
        other=other,
        kind=kind,
        description=description,
    )
