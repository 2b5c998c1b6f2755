from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from store_archives import (
    DOCKER_MANIFEST,
    LAYER,
    LAYER2,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Files,
    blob,
    codes,
    config,
    descriptor,
    docker_save,
    gz,
    js,
    layout,
    manifest,
    one_image,
    opened,
    sha,
    tar,
)

from imagepeel.archive.opened import open_archive
from imagepeel.errors import Malformed, MissingBlob, NotAnImage
from imagepeel.evidence import Location
from imagepeel.limits import Limits
from imagepeel.oci.manifest import Schema1Manifest

NAME = "org.opencontainers.image.ref.name"
FULL = "io.containerd.image.name"
CONFIG = config(LAYER, LAYER2)
MANIFEST = manifest(CONFIG, LAYER, LAYER2)


def states(container: Any) -> list[tuple[str, str]]:
    return [(check.role, check.state) for check in container.checks]


def test_an_oci_image_is_followed_from_index_to_layers() -> None:
    container = opened(one_image())
    (record,) = container.records
    assert (record.number, record.kind, record.format.name) == (1, "image", "oci-layout")
    assert record.tags == ("app:1",)
    assert str(record.platform) == "linux/amd64"
    assert record.digest == sha(MANIFEST)
    assert record.image_id == sha(CONFIG)
    assert record.manifest_bytes == MANIFEST
    assert record.config is not None
    assert record.config.cmd == ("/bin/tool",)
    assert [(layer.digest, layer.diff_id, layer.state) for layer in record.layers] == [
        (sha(LAYER), sha(LAYER), "present"),
        (sha(LAYER2), sha(LAYER2), "present"),
    ]
    assert record.layers[0].source().pread(0, 1 << 20) == LAYER
    assert states(container) == [("manifest", "verified"), ("config", "verified")]
    assert container.anomalies == ()
    assert container.unreferenced == ()
    assert record.complete


def test_a_docker_archive_is_followed_from_its_list_to_members() -> None:
    container = opened(docker_save(tags=["app:1", "app:2"]))
    (record,) = container.records
    assert record.tags == ("app:1", "app:2")
    assert record.image_id == sha(CONFIG)
    assert record.manifest is None
    assert [layer.member for layer in record.layers] == [f"{sha(x)[7:]}/layer.tar" for x in (LAYER, LAYER2)]
    assert [layer.diff_id for layer in record.layers] == [sha(LAYER), sha(LAYER2)]
    assert record.complete
    assert container.anomalies == ()


def test_lowercase_keys_null_tags_and_a_config_name_without_digest_are_normal() -> None:
    container = opened(
        {
            "l.tar.gz": gz(LAYER),
            "config.json": config(LAYER),
            "manifest.json": js([{"config": "config.json", "layers": ["l.tar.gz"]}]),
        }
    )
    (record,) = container.records
    assert (record.tags, record.complete) == ((), True)
    assert states(container) == [("config", "not checked")]


def test_a_config_with_another_name_than_its_digest_is_said_but_no_mismatch() -> None:
    files = docker_save()
    renamed = {("0" * 64 + ".json" if k.endswith(".json") and k != "manifest.json" else k): v for k, v in files.items()}
    renamed["manifest.json"] = files["manifest.json"].replace(sha(CONFIG)[7:].encode(), b"0" * 64)
    assert states(opened(renamed)) == [("config", "other name")]


def test_missing_parts_are_states_and_the_rest_is_kept() -> None:
    files = one_image()
    del files[blob(LAYER)]
    (record,) = opened(files).records
    assert [layer.state for layer in record.layers] == ["missing", "present"]
    assert record.missing == ("layer L1 (missing)",)
    assert not record.complete
    with pytest.raises(MissingBlob):
        record.layers[0].source()
    del files[blob(CONFIG)]
    (record,) = opened(files).records
    assert record.missing == ("config", "layer L1 (missing)")
    assert [layer.diff_id for layer in record.layers] == [None, None]
    del files[blob(MANIFEST)]
    container = opened(files)
    assert container.records[0].missing == ("manifest",)
    assert states(container) == [("manifest", "missing")]
    assert [member.name for member in container.unreferenced] == [blob(LAYER2)]


def test_all_mismatches_are_reported_together() -> None:
    files = one_image()
    files[blob(MANIFEST)] = MANIFEST + b"\n"
    files[blob(CONFIG)] = CONFIG.replace(b"linux", b"linuX")
    files[blob(LAYER)] = LAYER + bytes(512)
    container = opened(files)
    assert states(container) == [("manifest", "mismatch"), ("config", "mismatch")]
    check = container.checks[0]
    assert (check.size, check.actual_size, check.digest, check.actual_digest) == (
        len(MANIFEST),
        len(MANIFEST) + 1,
        sha(MANIFEST),
        sha(MANIFEST + b"\n"),
    )
    assert check.stated_at == Location(member="index.json", pointer="/manifests/0")
    assert codes(container) == ["layer-size"]
    assert container.records[0].anomalies == container.anomalies


def test_counts_of_layers_diff_ids_and_history_are_compared() -> None:
    configuration = config(LAYER, LAYER2, history=[{"created_by": "x"}])
    document = manifest(configuration, LAYER)
    container = opened(layout(LAYER, configuration, document, manifests=[descriptor(document)]))
    assert codes(container) == ["layer-count", "history-count"]


def test_a_sparse_nested_index_lists_every_platform_and_has_one() -> None:
    other = manifest(config(LAYER, architecture="arm64"), LAYER)
    attestation = manifest(config(b"{}"), b"{}", media_type="application/vnd.in-toto+json")
    inner = js(
        {
            "mediaType": OCI_INDEX,
            "manifests": [
                descriptor(MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
                descriptor(other, platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
                descriptor(
                    attestation,
                    platform={"os": "unknown", "architecture": "unknown"},
                    annotations={
                        "vnd.docker.reference.type": "attestation-manifest",
                        "vnd.docker.reference.digest": sha(MANIFEST),
                    },
                ),
            ],
        }
    )
    names = {FULL: "docker.io/library/app:1", NAME: "1"}
    container = opened(
        layout(LAYER, LAYER2, CONFIG, MANIFEST, attestation, config(b"{}"), b"{}", inner,
               manifests=[descriptor(inner, OCI_INDEX, annotations=names)])
    )  # fmt: skip
    assert [(r.kind, r.available, str(r.platform)) for r in container.records] == [
        ("image", True, "linux/amd64"),
        ("image", False, "linux/arm64/v8"),
        ("attestation", True, "unknown/unknown"),
    ]
    assert container.records[0].tags == ("docker.io/library/app:1", "1")
    assert all(name.inherited for name in container.records[0].names)
    assert container.records[0].path == (0, 0)
    assert container.records[0].parent == sha(inner)
    assert [index.digest for index in container.indexes] == [None, sha(inner)]
    assert states(container)[:3] == [("index", "verified"), ("manifest", "verified"), ("config", "verified")]
    # The attestation's DiffIDs are digests of its JSON: its layers belong to no root file system.
    assert [layer.diff_id for layer in container.records[2].layers] == [None]


def test_two_descriptors_of_one_manifest_are_one_image_with_two_names() -> None:
    files = layout(
        LAYER, LAYER2, CONFIG, MANIFEST,
        manifests=[
            descriptor(MANIFEST, annotations={NAME: "latest"}),
            {**descriptor(MANIFEST, annotations={NAME: "1.0"}), "size": 7},
        ],
    )  # fmt: skip
    container = opened(files)
    (record,) = container.records
    assert record.tags == ("latest", "1.0")
    assert codes(container) == ["descriptor-conflict"]


def test_an_index_that_contains_itself_ends() -> None:
    # A real loop needs a digest collision, so the bytes under the name are simply others.
    first = js({"mediaType": OCI_INDEX, "manifests": [descriptor(b"second", OCI_INDEX)]})
    second = js({"mediaType": OCI_INDEX, "manifests": [descriptor(b"first", OCI_INDEX), descriptor(MANIFEST)]})
    files = layout(CONFIG, MANIFEST, LAYER, LAYER2, manifests=[descriptor(b"first", OCI_INDEX)])
    files[blob(b"first")], files[blob(b"second")] = first, second
    container = opened(files)
    assert codes(container) == ["index-loop"]
    assert [record.complete for record in container.records] == [True]


def test_nesting_and_number_of_documents_are_bounded() -> None:
    inner = MANIFEST
    blobs = [CONFIG, LAYER, LAYER2, MANIFEST]
    kind = OCI_MANIFEST
    for _ in range(12):
        inner = js({"mediaType": OCI_INDEX, "manifests": [descriptor(inner, kind)]})
        blobs.append(inner)
        kind = OCI_INDEX
    nested = layout(*blobs, manifests=[descriptor(inner, OCI_INDEX)])
    deep = opened(nested, Limits(index_depth=8))
    assert codes(deep) == ["index-depth"]
    assert deep.records == ()
    assert [index.followed for index in deep.indexes][-2:] == [True, False]
    whole = opened(nested)
    assert codes(whole) == [] and len(whole.records) == 1
    missing = [descriptor(str(i).encode()) for i in range(50)]
    many = opened(layout(manifests=missing), Limits(documents=10))
    assert len(many.records) == 10
    assert "json-long-list" in codes(many)


def test_inline_data_satisfies_a_missing_blob_only_with_the_right_digest() -> None:
    def inline(data: bytes) -> dict[str, Any]:
        return {**descriptor(CONFIG, OCI_CONFIG), "data": base64.b64encode(data).decode()}

    for data, state, config_state in ((CONFIG, "verified", "present"), (b"{}", "mismatch", "missing")):
        document = js({"config": inline(data), "layers": [descriptor(LAYER, OCI_LAYER)]})
        container = opened(layout(LAYER, document, manifests=[descriptor(document)]))
        assert states(container) == [("manifest", "verified"), ("config", state)]
        assert container.records[0].config_state == config_state


def test_foreign_encrypted_and_squashfs_layers_are_states() -> None:
    configuration = config(*[b"x"] * 5)
    document = js(
        {
            "config": descriptor(configuration, OCI_CONFIG),
            "layers": [
                descriptor(
                    b"f", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls=["https://example.com/l"]
                ),
                descriptor(b"e", OCI_LAYER + "+encrypted"),
                descriptor(b"k", OCI_LAYER, annotations={"org.opencontainers.image.enc.keys.jwe": "x"}),
                descriptor(b"s", "application/vnd.sylabs.image.layer.v1.squashfs"),
                descriptor(b"z", OCI_LAYER + "+gzip", annotations={"containerd.io/snapshot/stargz/toc.digest": "x"}),
            ],
        }
    )
    files = layout(configuration, document, b"e", b"k", b"s", b"z", manifests=[descriptor(document)])
    (record,) = opened(files).records
    assert [layer.state for layer in record.layers] == ["foreign", "encrypted", "encrypted", "unsupported", "present"]
    assert record.layers[0].urls == ("https://example.com/l",)
    assert record.layers[4].label == "eStargz"
    assert record.labels == ("eStargz",)
    with pytest.raises(MissingBlob, match="layer L1"):
        record.layers[0].source()


@pytest.mark.parametrize(
    ("config_type", "layer_type", "more", "kind"),
    [
        ("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip", {}, "helm"),
        ("application/vnd.wasm.config.v0+json", "application/wasm", {}, "wasm"),
        (OCI_CONFIG, "application/vnd.in-toto+json", {}, "attestation"),
        (OCI_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json", {}, "cosign"),
        ("application/vnd.oci.empty.v1+json", "text/plain", {"artifactType": "text/x"}, "artifact"),
        ("application/vnd.buildkit.cacheconfig.v0", OCI_LAYER, {}, "buildkit-cache"),
        (OCI_CONFIG, OCI_LAYER, {}, "image"),
        (OCI_CONFIG, OCI_LAYER, {"artifactType": "text/x"}, "image"),
        (OCI_CONFIG, "text/plain", {}, "artifact"),
    ],
)  # fmt: skip
def test_what_is_stored_like_an_image_is_called_what_it_is(
    config_type: str, layer_type: str, more: dict[str, Any], kind: str
) -> None:
    document = js({"config": descriptor(CONFIG, config_type), "layers": [descriptor(LAYER, layer_type)], **more})
    (record,) = opened(layout(CONFIG, LAYER, document, manifests=[descriptor(document)])).records
    assert record.kind == kind
    assert record.kind_reason


def test_cosign_tags_and_kinds_are_recognised_without_their_blobs() -> None:
    tag = "sha256-" + "a" * 64 + ".sig"
    container = opened(
        layout(
            manifests=[
                descriptor(b"1", annotations={NAME: tag}),
                descriptor(b"2", annotations={"kind": "dev.cosignproject.cosign/atts"}),
                descriptor(b"3", annotations={"kind": "dev.cosignproject.cosign/image"}),
                descriptor(b"4", OCI_LAYER),
                descriptor(b"5", "application/x-unknown"),
            ]
        )
    )
    assert [r.kind for r in container.records] == ["cosign", "cosign", "image", "buildkit-cache", "unknown"]


def test_a_document_that_is_index_and_manifest_at_once_is_said() -> None:
    document = js({"manifests": [], "config": descriptor(CONFIG, OCI_CONFIG), "layers": []})
    container = opened(layout(CONFIG, document, manifests=[descriptor(document)]))
    assert "manifest-shape" in codes(container)
    assert [record.kind for record in container.records] == ["image"]


def test_a_media_type_that_contradicts_the_document_is_said() -> None:
    inner = js({"manifests": [descriptor(MANIFEST)]})
    container = opened(layout(CONFIG, LAYER, LAYER2, MANIFEST, inner, manifests=[descriptor(inner)]))
    assert codes(container) == ["media-type-shape"]
    assert [record.complete for record in container.records] == [True]
    other = opened(layout(CONFIG, LAYER, LAYER2, MANIFEST, manifests=[descriptor(MANIFEST, DOCKER_MANIFEST)]))
    assert codes(other) == ["media-type-conflict"]


def test_digests_that_are_paths_lead_nowhere() -> None:
    files = layout(manifests=[{"mediaType": OCI_MANIFEST, "digest": "sha256:../../index.json", "size": 1}])
    container = opened(files)
    assert [record.available for record in container.records] == [False]
    assert codes(container) == ["descriptor-digest"]
    assert container.checks[0].detail == "the descriptor has no valid digest"


def test_blobs_may_lie_at_the_root_as_apko_writes_them() -> None:
    files: Files = {
        "index.json": js({"manifests": [descriptor(MANIFEST)]}),
        sha(MANIFEST): MANIFEST,
        sha(CONFIG): CONFIG,
        sha(LAYER)[7:] + ".tar.gz": LAYER,
        sha(LAYER2)[7:] + ".tar.gz": LAYER2,
        "manifest.json": js([{"Config": sha(CONFIG), "RepoTags": ["app:1-amd64"],
                              "Layers": [sha(x)[7:] + ".tar.gz" for x in (LAYER, LAYER2)]}]),
    }  # fmt: skip
    container = opened(files)
    (record,) = container.records
    assert container.kind.name == "hybrid"
    assert record.complete
    assert list(map(str, record.formats)) == ["oci-layout", "docker-archive"]
    assert record.tags == ("app:1-amd64",)


def hybrid(
    listed: list[dict[str, Any]], *, manifests: list[dict[str, Any]] | None, extra: tuple[bytes, ...] = ()
) -> Files:
    return {**layout(LAYER, LAYER2, CONFIG, MANIFEST, *extra, manifests=manifests), "manifest.json": js(listed)}


SAME = {"Config": blob(CONFIG), "RepoTags": ["app:1"], "Layers": [blob(LAYER), blob(LAYER2)]}


def test_two_descriptions_of_one_image_are_one_image() -> None:
    container = opened(hybrid([SAME], manifests=[descriptor(MANIFEST, annotations={NAME: "1"})]))
    (record,) = container.records
    assert list(map(str, record.formats)) == ["oci-layout", "docker-archive"]
    assert record.tags == ("1", "app:1")
    assert container.anomalies == ()


def test_two_descriptions_of_two_images_are_two_loaders_two_images() -> None:
    evil = config(LAYER2)
    other = {"Config": blob(evil), "RepoTags": ["app:1"], "Layers": [blob(LAYER2)]}
    container = opened(hybrid([other], manifests=[descriptor(MANIFEST)], extra=(evil,)))
    assert [(r.number, r.format.name, r.image_id) for r in container.records] == [
        (1, "oci-layout", sha(CONFIG)),
        (2, "docker-archive", sha(evil)),
    ]
    assert codes(container) == ["TWO-IMAGES"]
    assert sha(evil)[7:19] in container.anomalies[0].message
    assert sha(CONFIG)[7:19] in container.anomalies[0].message


@pytest.mark.parametrize("layers", [[blob(LAYER)], [blob(LAYER2), blob(LAYER)]])
def test_the_same_config_over_other_layers_is_two_images_too(layers: list[str]) -> None:
    container = opened(hybrid([{**SAME, "Layers": layers}], manifests=[descriptor(MANIFEST)]))
    assert "TWO-IMAGES" in codes(container)
    assert len(container.records) == 1


def test_two_copies_of_the_layers_are_said_and_are_one_image() -> None:
    files = hybrid([{**SAME, "Layers": ["a.tar", "b.tar"]}], manifests=[descriptor(MANIFEST)])
    container = opened({**files, "a.tar": LAYER, "b.tar": LAYER2})
    assert codes(container) == ["two-copies"]
    assert [layer.member for layer in container.records[0].layers] == [blob(LAYER), blob(LAYER2)]


def test_an_empty_index_beside_a_list_is_no_second_image() -> None:
    container = opened(hybrid([SAME], manifests=None))
    assert [record.format.name for record in container.records] == ["docker-archive"]
    assert codes(container) == ["oci-index-empty"]


def test_one_damaged_description_leaves_the_other() -> None:
    files = hybrid([SAME], manifests=[descriptor(MANIFEST)])
    files["index.json"] = b"{"
    container = opened(files)
    assert [record.complete for record in container.records] == [True]
    assert {"description-damaged", "document-damaged"} <= set(codes(container))
    files["manifest.json"] = b"[]"
    with pytest.raises(Malformed):
        opened(files)


def test_orphan_blobs_are_listed_and_no_fault() -> None:
    container = opened({**one_image(), blob(b"orphan"): b"orphan", "notes.txt": b""})
    assert [member.name for member in container.unreferenced] == [blob(b"orphan")]
    assert container.anomalies == ()


def test_layer_sources_describe_the_stored_bytes_or_are_left_out() -> None:
    sources = {
        sha(LAYER): descriptor(LAYER, OCI_LAYER),
        sha(LAYER2): descriptor(gz(LAYER2), OCI_LAYER + "+gzip"),
    }
    files = hybrid([{**SAME, "LayerSources": sources}], manifests=[])
    (record,) = opened(files).records
    assert [layer.digest for layer in record.layers] == [sha(LAYER), None]
    assert [layer.name_digest for layer in record.layers] == [sha(LAYER), sha(LAYER2)]


def test_a_foreign_layer_of_a_docker_archive_is_foreign_not_missing() -> None:
    sources = {
        sha(LAYER): descriptor(b"x", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls=["https://e"])
    }
    files = docker_save()
    listed = {
        "Config": sha(CONFIG)[7:] + ".json",
        "Layers": ["gone/layer.tar", "gone2/layer.tar"],
        "LayerSources": sources,
    }
    (record,) = opened({**files, "manifest.json": js([listed])}).records
    assert [(layer.state, layer.member) for layer in record.layers] == [
        ("foreign", "gone/layer.tar"),
        ("missing", "gone2/layer.tar"),
    ]


def v1(identity: str, parent: str = "", **more: Any) -> Files:
    document = {"id": identity, "container_config": {"Cmd": [f"make {identity[0]}"]}, "os": "linux", **more}
    return {
        f"{identity}/VERSION": b"1.0",
        f"{identity}/json": js({**document, **({"parent": parent} if parent else {})}),
        f"{identity}/layer.tar": tar({identity[0]: b""}),
    }


A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def test_a_v1_archive_is_a_chain_of_parents() -> None:
    files = {**v1(B, A, config={"Cmd": ["run"]}, architecture="amd64"), **v1(A), "repositories": js({"app": {"1": B}})}
    container = opened(files)
    (record,) = container.records
    assert container.kind.name == "docker-v1"
    assert record.tags == ("app:1",)
    assert [layer.member for layer in record.layers] == [f"{A}/layer.tar", f"{B}/layer.tar"]
    assert record.config is not None
    assert record.config.cmd == ("run",)
    assert record.config.history is not None
    assert [step.created_by for step in record.config.history] == ["make a", "make b"]
    assert "DiffIDs" in record.lost
    assert container.unreferenced == ()


def test_v1_without_repositories_starts_at_what_is_nobodys_parent() -> None:
    container = opened({**v1(B, A), **v1(A), **v1(C)})
    assert [len(record.layers) for record in container.records] == [2, 1]


def test_v1_loops_missing_parents_and_path_ids_are_cut_and_said() -> None:
    loop = opened({**v1(A, B), **v1(B, A), "repositories": js({"x": {"1": A}})})
    assert codes(loop) == ["v1-loop"]
    assert len(loop.records[0].layers) == 2
    gone = opened({**v1(A, C), "repositories": js({"x": {"1": A}})})
    assert codes(gone) == ["v1-missing"]
    assert [layer.state for layer in gone.records[0].layers] == ["missing", "present"]
    path = opened({**v1(A, "../../etc"), "repositories": js({"x": {"1": A}})})
    assert "v1-id" in codes(path)


def test_a_dir_copy_is_one_manifest_with_bare_names() -> None:
    container = opened({"manifest.json": MANIFEST, "version": b"1", **{sha(x)[7:]: x for x in (CONFIG, LAYER, LAYER2)}})
    (record,) = container.records
    assert (container.kind.name, record.format.name, record.complete, record.tags) == ("dir", "dir", True, ())
    assert record.digest == sha(MANIFEST)
    assert states(container) == [("manifest", "not checked"), ("config", "verified")]


def test_a_schema_1_manifest_is_an_image_without_config_blob() -> None:
    document = js(
        {
            "schemaVersion": 1, "name": "n", "tag": "t", "fsLayers": [{"blobSum": sha(LAYER)}],
            "history": [{"v1Compatibility": '{"os":"linux","architecture":"amd64","config":{"Cmd":["x"]}}'}],
            "signatures": [{}],
        }
    )  # fmt: skip
    container = opened({"manifest.json": document, sha(LAYER)[7:]: LAYER})
    (record,) = container.records
    assert isinstance(record.manifest, Schema1Manifest)
    assert record.tags == ("n:t",)
    assert record.config is not None
    assert record.config.cmd == ("x",)
    assert record.complete


def test_a_config_that_thousands_name_is_read_once() -> None:
    big = config(LAYER, LAYER2, padding="x" * 200_000)
    listed = [{"Config": "c.json", "Layers": []}] * 2000
    container = opened({"c.json": big, "manifest.json": js(listed)})
    assert len(container.records) == 2000
    assert len({id(record.config) for record in container.records}) == 1


def test_an_image_with_too_many_layers_is_cut_and_said() -> None:
    document = js({"config": descriptor(CONFIG, OCI_CONFIG), "layers": [descriptor(LAYER, OCI_LAYER)] * 50})
    container = opened(layout(CONFIG, LAYER, document, manifests=[descriptor(document)]), Limits(layers=10))
    assert len(container.records[0].layers) == 10
    assert "json-long-list" in codes(container)


def test_closing_a_layer_leaves_the_archive_open_and_closing_the_archive_closes_all(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for data in (LAYER, gz(LAYER), gz(gz(LAYER)), tar(one_image()), gz(tar(one_image())), b"junk", gz(b"junk")):
        (tmp_path / "a").write_bytes(data)
        try:
            container = open_archive(tmp_path / "a", blobs=tmp_path)
        except NotAnImage:
            continue
        source = container.records[0].layers[0].source()
        first = source.pread(0, 100)
        source.close()
        assert container.records[0].layers[0].source().pread(0, 100) == first
        container.close()
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before
