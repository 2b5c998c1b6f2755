"""The structs of Go into which tools read the documents of an archive, as far as a value of another type shows.

Source: moby image/image.go and image/tarexport; containers/image manifest/docker_schema2.go and its reader of archives;
image-spec specs-go/v1.  Their errors were recorded with dockerd 20.10, podman 4.3, ctr 1.6, skopeo 1.9, buildah 1.28.
"""

from __future__ import annotations

from imagepeel.formats.go_decode import (
    BOOL,
    EMPTY,
    INT,
    INT64,
    STRING,
    STRINGS,
    TIME,
    WORDS,
    GoType,
    list_of,
    struct,
)

_DIGEST = GoType(name="digest.Digest", reader="string")
_DURATION = GoType(name="time.Duration", reader="int")
_SET = GoType(name="map[string]struct {}", reader="map", of=EMPTY)
_TEXTS = GoType(name="map[string]string", reader="map", of=STRING)


def _config(name: str, ports: str, health: str) -> GoType:
    """Docker's config of a container, which containers/image has again."""
    return struct(
        name,
        Hostname=STRING, Domainname=STRING, User=STRING, AttachStdin=BOOL, AttachStdout=BOOL, AttachStderr=BOOL,
        ExposedPorts=GoType(name=ports, reader="map", of=EMPTY), Tty=BOOL, OpenStdin=BOOL, StdinOnce=BOOL, Env=STRINGS,
        Cmd=WORDS,
        Healthcheck=struct(
            health, Test=STRINGS, Interval=_DURATION, Timeout=_DURATION, StartPeriod=_DURATION, Retries=INT
        ),
        ArgsEscaped=BOOL, Image=STRING, Volumes=_SET, WorkingDir=STRING, Entrypoint=WORDS, NetworkDisabled=BOOL,
        MacAddress=STRING, OnBuild=STRINGS, Labels=_TEXTS, StopSignal=STRING, StopTimeout=INT, Shell=WORDS,
    )  # fmt: skip


def _v1_fields(config: GoType) -> dict[str, GoType]:
    """What an image had before it had a list of layers."""
    return {
        "id": STRING, "parent": STRING, "comment": STRING, "created": TIME, "container": STRING,
        "container_config": config, "docker_version": STRING, "author": STRING, "config": config,
        "architecture": STRING, "variant": STRING, "os": STRING, "Size": INT64,
    }  # fmt: skip


def _image(name: str, config: GoType, parent: GoType, rootfs: GoType, history: str) -> GoType:
    """An image of Docker."""
    step = struct(history, created=TIME, author=STRING, created_by=STRING, comment=STRING, empty_layer=BOOL)
    more = {"parent": parent, "rootfs": rootfs, "history": list_of(step)}
    return struct(name, **_v1_fields(config) | more, os__version=STRING, os__features=STRINGS)


def _rootfs(name: str, diff_id: str) -> GoType:
    return struct(name, type=STRING, diff_ids=list_of(GoType(name=diff_id, reader="string")))


MOBY_IMAGE = _image(
    "image.Image",
    _config("container.Config", "nat.PortSet", "container.HealthConfig"),
    GoType(name="image.ID", reader="string"),
    _rootfs("image.RootFS", "layer.DiffID"),
    "image.History",
)
_SCHEMA2_CONFIG = _config("manifest.Schema2Config", "manifest.Schema2PortSet", "manifest.Schema2HealthConfig")
SCHEMA2_IMAGE = _image(
    "manifest.Schema2Image",
    _SCHEMA2_CONFIG,
    _DIGEST,
    _rootfs("manifest.Schema2RootFS", "digest.Digest"),
    "manifest.Schema2History",
)
SCHEMA2_V1_IMAGE = struct("manifest.Schema2V1Image", **_v1_fields(_SCHEMA2_CONFIG))
"""What podman and buildah look at an image with that they have stored."""
OCI_IMAGE = struct(
    "v1.Image",
    created=TIME,
    author=STRING,
    architecture=STRING,
    variant=STRING,
    os=STRING,
    os__version=STRING,
    os__features=STRINGS,
    config=struct(
        "v1.ImageConfig",
        User=STRING, ExposedPorts=_SET, Env=STRINGS, Entrypoint=STRINGS, Cmd=STRINGS, Volumes=_SET, WorkingDir=STRING,
        Labels=_TEXTS, StopSignal=STRING, ArgsEscaped=BOOL,
    ),
    rootfs=_rootfs("v1.RootFS", "digest.Digest"),
    history=list_of(
        struct("v1.History", created=TIME, created_by=STRING, author=STRING, comment=STRING, empty_layer=BOOL)
    ),
)  # fmt: skip


_PLATFORM = struct(
    "v1.Platform", architecture=STRING, os=STRING, os__version=STRING, os__features=STRINGS, variant=STRING
)
_DESCRIPTOR = struct(
    "v1.Descriptor",
    mediaType=STRING, digest=_DIGEST, size=INT64, urls=STRINGS, annotations=_TEXTS, platform=_PLATFORM,
)  # fmt: skip
_SCHEMA2_DESCRIPTOR = struct("manifest.Schema2Descriptor", mediaType=STRING, size=INT64, digest=_DIGEST, urls=STRINGS)


def _items(name: str, parent: str, sources: str, source: GoType) -> GoType:
    """The list in a manifest.json."""
    more = {
        "Parent": GoType(name=parent, reader="string"),
        "LayerSources": GoType(name=sources, reader="map", of=source),
    }
    return list_of(struct(name, Config=STRING, RepoTags=STRINGS, Layers=STRINGS, **(more if parent else {})))


MOBY_LIST = _items("tarexport.manifestItem", "image.ID", "map[layer.DiffID]distribution.Descriptor", _DESCRIPTOR)
CONTAINERS_LIST = _items(
    "tarfile.ManifestItem", "tarfile.imageID", "map[digest.Digest]manifest.Schema2Descriptor", _SCHEMA2_DESCRIPTOR
)
CONTAINERD_LIST = _items("struct { Config string; RepoTags []string; Layers []string }", "", "", _DESCRIPTOR)

_ANY = GoType(name="json.RawMessage", reader="any")


def _manifest(name: str, descriptor: GoType) -> GoType:
    return struct(
        name, schemaVersion=INT, mediaType=STRING, config=descriptor, layers=list_of(descriptor), annotations=_TEXTS
    )


OCI_MANIFEST = _manifest("v1.Manifest", _DESCRIPTOR)
CONTAINERS_MANIFEST = _manifest("manifest.OCI1", _DESCRIPTOR)
SCHEMA2_MANIFEST = _manifest(
    "manifest.Schema2",
    _SCHEMA2_DESCRIPTOR,
)
UNKNOWN_DOCUMENT = struct(
    "images.unknownDocument", mediaType=STRING, config=_ANY, layers=_ANY, manifests=_ANY, fsLayers=_ANY
)
"""What containerd looks at a manifest with before it believes its type."""
OCI_INDEX = struct("v1.Index", schemaVersion=INT, mediaType=STRING, manifests=list_of(_DESCRIPTOR), annotations=_TEXTS)
OCI_LAYOUT = struct("v1.ImageLayout", imageLayoutVersion=STRING)
MOBY_V1 = struct("struct { OS string; Parent string }", OS=STRING, Parent=STRING)
REPOSITORIES = GoType(
    name="map[string]map[string]string",
    reader="map",
    of=GoType(name="map[string]string", reader="map", of=STRING),
)
"""The names in an archive of before Docker 1.10."""
