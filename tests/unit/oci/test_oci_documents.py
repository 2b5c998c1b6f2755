from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from imagepeel.evidence import Anomaly, Location
from imagepeel.limits import DEFAULT, Limits
from imagepeel.oci.descriptor import descriptor_of
from imagepeel.oci.digest import EMPTY_GZIP_LAYER
from imagepeel.oci.docker_archive import archive_manifests_of, repositories_of
from imagepeel.oci.index import index_of
from imagepeel.oci.json_document import Fields
from imagepeel.oci.layout import layout_version_of
from imagepeel.oci.manifest import manifest_of, schema1_of, shape_of
from imagepeel.oci.media_types import classify

D1, D2, D3 = ("sha256:" + c * 64 for c in "123")
HERE = Location(member="m")


def descriptor(value: Any) -> tuple[Any, list[Anomaly]]:
    noticed: list[Anomaly] = []
    return descriptor_of(Fields(value, HERE, noticed)), noticed


@pytest.mark.parametrize(
    ("text", "role", "filesystem", "compression", "foreign", "encrypted"),
    [
        ("application/vnd.oci.image.index.v1+json", "index", "", "", False, False),
        ("application/vnd.docker.distribution.manifest.list.v2+json", "index", "", "", False, False),
        ("application/vnd.oci.image.manifest.v1+json", "manifest", "", "", False, False),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", "schema1", "", "", False, False),
        ("application/vnd.docker.container.image.v1+json", "config", "", "", False, False),
        ("application/vnd.oci.image.layer.v1.tar", "layer", "tar", "", False, False),
        ("application/vnd.oci.image.layer.v1.tar+gzip", "layer", "tar", "gzip", False, False),
        ("application/vnd.oci.image.layer.v1.tar+zstd+encrypted", "layer", "tar", "zstd", False, True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "layer", "tar", "gzip", True, False),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", "layer", "tar", "gzip", False, False),
        ("application/vnd.docker.image.rootfs.diff.tar+gzip", "layer", "tar", "gzip", False, False),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "layer", "tar", "gzip", True, False),
        ("application/vnd.sylabs.image.layer.v1.squashfs", "layer", "squashfs", "", False, False),
        ("application/vnd.erofs.layer.v1", "layer", "erofs", "", False, False),
        ("application/vnd.in-toto+json", "attestation", "", "", False, False),
        ("application/vnd.dev.cosign.simplesigning.v1+json", "cosign", "", "", False, False),
        ("application/vnd.cncf.helm.config.v1+json", "helm", "", "", False, False),
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "helm", "", "", False, False),
        ("application/vnd.wasm.config.v0+json", "wasm", "", "", False, False),
        ("application/vnd.buildkit.cacheconfig.v0", "buildkit-cache", "", "", False, False),
        ("application/vnd.containerd.container.criu.checkpoint.config.v1+proto", "checkpoint", "", "", False, False),
        ("application/vnd.oci.empty.v1+json", "empty", "", "", False, False),
        ("application/xml", "other", "", "", False, False),
        ("", "other", "", "", False, False),
        ("application/vnd.oci.image.layer.v1.tarball", "other", "", "", False, False),
    ],
)
def test_media_types_say_role_filesystem_and_compression(
    text: str, role: str, filesystem: str, compression: str, foreign: bool, encrypted: bool
) -> None:
    media = classify(text)
    assert (media.role, media.filesystem, media.compression) == (role, filesystem, compression)
    assert (media.foreign, media.encrypted) == (foreign, encrypted)


def test_a_descriptor_is_read_with_platform_urls_and_inline_data() -> None:
    value, noticed = descriptor(
        {
            "mediaType": "t",
            "digest": D1,
            "size": 2,
            "urls": ["https://example.com/x"],
            "annotations": {"k": "v"},
            "data": base64.b64encode(b"{}").decode(),
            "platform": {"os": "windows", "architecture": "amd64", "os.version": "10.0"},
            "artifactType": "a",
        }
    )
    assert noticed == []
    assert (value.digest, value.size, value.urls, value.annotations) == (D1, 2, ("https://example.com/x",), {"k": "v"})
    assert (value.data, value.artifact_type) == (b"{}", "a")
    assert (str(value.platform), value.platform.os_version) == ("windows/amd64", "10.0")


def test_a_bad_digest_negative_size_or_bad_data_is_recorded_and_points_nowhere() -> None:
    value, noticed = descriptor({"digest": "sha256:../../x", "size": -1, "data": "!"})
    assert (value.digest, value.digest_text, value.size, value.data) == (None, "sha256:../../x", None, None)
    assert [a.code for a in noticed] == ["descriptor-digest", "descriptor-size", "descriptor-data"]


def test_null_manifests_are_not_an_empty_list() -> None:
    assert index_of({"manifests": None}, HERE, []).manifests is None
    assert index_of({}, HERE, []).manifests is None
    assert index_of({"manifests": []}, HERE, []).manifests == ()


def test_an_index_longer_than_the_limit_is_cut_and_said() -> None:
    noticed: list[Anomaly] = []
    index = index_of({"manifests": [{"digest": D1}] * 30}, HERE, noticed, Limits(documents=10))
    assert index.manifests is not None
    assert len(index.manifests) == 10
    assert [a.code for a in noticed] == ["json-long-list"]


@pytest.mark.parametrize(
    ("document", "shape"),
    [
        ({"manifests": []}, "index"),
        ({"config": {}, "layers": []}, "manifest"),
        ({"Layers": []}, "manifest"),
        ({"manifests": [], "layers": []}, "both"),
        ({"schemaVersion": 1, "fsLayers": []}, "schema1"),
        ({"blobs": []}, "manifest"),
        ({"manifests": None, "layers": []}, "manifest"),
        ({}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_documents_are_told_apart_by_their_fields(document: Any, shape: str) -> None:
    assert shape_of(document) == shape


def test_a_manifest_keeps_layer_order_subject_and_unknown_fields() -> None:
    noticed: list[Anomaly] = []
    manifest = manifest_of(
        {
            "schemaVersion": 2,
            "config": {"digest": D1},
            "layers": [{"digest": D2}, {"digest": D3}],
            "subject": {"digest": D3},
            "x": 1,
        },
        HERE,
        noticed,
    )
    assert noticed == []
    assert manifest.config is not None
    assert manifest.config.digest == D1
    assert [layer.digest for layer in manifest.layers] == [D2, D3]
    assert [layer.pointer for layer in manifest.layers] == ["/layers/0", "/layers/1"]
    assert manifest.subject is not None
    assert manifest.subject.digest == D3
    assert manifest.raw["x"] == 1


def test_schema_1_is_turned_base_first_and_loses_its_empty_layers() -> None:
    def v1(**fields: Any) -> dict[str, str]:
        return {"v1Compatibility": json.dumps(fields)}

    noticed: list[Anomaly] = []
    manifest = schema1_of(
        {
            "schemaVersion": 1,
            "name": "library/x",
            "tag": "1",
            "fsLayers": [{"blobSum": EMPTY_GZIP_LAYER}, {"blobSum": D2}, {"blobSum": D1}],
            "history": [
                v1(id="c", throwaway=True, os="linux", architecture="amd64", config={"Cmd": ["top"]}),
                v1(id="b", container_config={"Cmd": ["/bin/sh", "-c", "second"]}),
                v1(id="a", container_config={"Cmd": ["first"]}),
            ],
            "signatures": [{}],
        },
        HERE,
        noticed,
        DEFAULT,
    )
    assert noticed == []
    assert manifest.layers == (D1, D2)
    assert manifest.config.cmd == ("top",)
    assert manifest.config.history is not None
    assert [step.created_by for step in manifest.config.history] == ["first", "/bin/sh -c second", ""]
    assert manifest.config.layer_steps == (0, 1)
    assert manifest.signed


def test_schema_1_with_damaged_history_is_read_as_far_as_it_goes() -> None:
    noticed: list[Anomaly] = []
    manifest = schema1_of(
        {"fsLayers": [{"blobSum": D1}, {"blobSum": "x/../y"}], "history": [{"v1Compatibility": "{"}]},
        HERE,
        noticed,
        DEFAULT,
    )
    assert manifest.layers == (None, D1)
    assert {a.code for a in noticed} == {"schema1-count", "schema1-history", "descriptor-digest"}


def test_manifest_json_is_read_in_any_case_with_null_tags() -> None:
    noticed: list[Anomaly] = []
    images = archive_manifests_of(
        [
            {"config": "config.json", "repoTags": ["a:1"], "layers": ["x.tar.gz"]},
            {"Config": "c", "RepoTags": None, "Layers": None, "LayerSources": {D1: {"digest": D1, "size": 3}}},
        ],
        HERE,
        noticed,
    )
    assert noticed == []
    assert [(i.config, i.repo_tags, i.layers) for i in images] == [
        ("config.json", ("a:1",), ("x.tar.gz",)),
        ("c", None, ()),
    ]
    assert images[1].layer_sources[D1].size == 3


def test_repositories_with_wrong_types_are_recorded() -> None:
    noticed: list[Anomaly] = []
    assert repositories_of({"a": {"1": "id", "2": 3}, "b": []}, HERE, noticed) == {"a": {"1": "id"}, "b": {}}
    assert [a.where.pointer for a in noticed] == ["/a/2", "/b"]


def test_an_unknown_layout_version_is_recorded() -> None:
    noticed: list[Anomaly] = []
    assert layout_version_of({"imageLayoutVersion": "1.0.0"}, HERE, noticed) == "1.0.0"
    assert noticed == []
    assert layout_version_of({"imageLayoutVersion": "2"}, HERE, noticed) == "2"
    assert [a.code for a in noticed] == ["layout-version"]
