"""Layers, documents and archives, checked with hashlib, json and tarfile only."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import pickle
import struct
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard

from imagepeel import forge
from imagepeel.errors import UsageError

ARCHIVES = [kind for kind in forge.KINDS if kind not in ("layer", "rootfs")]


def spec(names: str = "demo:1", **more: Any) -> forge.ImageSpec:
    return forge.image(
        forge.layer(forge.directory("etc"), forge.file("etc/motd", "hi\n"), created_by="COPY motd /etc/"),
        forge.layer(forge.whiteout("etc/motd"), forge.file("bin/x", "x" * 5000, 0o755)),
        entrypoint=["/bin/x"],
        env={"A": "1"},
        user="7",
        names=names,
        **more,
    )


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def unpack(data: bytes) -> bytes:
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd" or data[1:4] == b"\x2a\x4d\x18":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    if data[:3] == b"BZh":
        return bz2.decompress(data)
    if data[:6] == b"\xfd7zXZ\0":
        return lzma.decompress(data)
    return data


def members(specs: Any, kind: str, tmp_path: Path, **more: Any) -> dict[str, bytes]:
    """Path to bytes of everything in the archive; links followed once."""
    if kind in forge.FOLDER_KINDS:
        root = forge.write(specs, tmp_path / "out", kind, **more)
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    out: dict[str, bytes] = {}
    links: dict[str, str] = {}
    data = unpack(forge.to_bytes(specs, kind, **more))
    with tarfile.open(fileobj=io.BytesIO(data), ignore_zeros=True) as archive:
        for member in archive:
            if member.isfile():
                found = archive.extractfile(member)
                assert found is not None
                out[member.name.removeprefix("./")] = found.read()
            elif member.issym():
                links[member.name] = member.linkname
    for name, target in links.items():
        assert target.startswith("../")
        out[name] = out[target[3:]]
    return out


def docker_images(found: dict[str, bytes]) -> list[tuple[dict[str, Any], list[bytes]]]:
    listing = json.loads(found["manifest.json"])
    listing = [{key.lower(): value for key, value in item.items()} for item in listing]
    return [(json.loads(found[item["config"]]), [found[name] for name in item["layers"]]) for item in listing]


def blob(found: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    data = found["blobs/" + descriptor["digest"].replace(":", "/")]
    assert sha(data) == descriptor["digest"]
    assert len(data) == descriptor["size"]
    return data


def check_layers(config: dict[str, Any], layers: list[bytes]) -> list[str]:
    assert [sha(unpack(layer)) for layer in layers] == config["rootfs"]["diff_ids"]
    return list(config["rootfs"]["diff_ids"])


@pytest.mark.parametrize("kind", ARCHIVES)
def test_every_kind_is_deterministic_and_holds_the_same_image(kind: str, tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir(), second.mkdir()
    found = members(spec(), kind, first)
    assert members(spec(), kind, second) == found
    expected = [sha(layer.content()) for layer in spec().layers]
    if kind == "docker-v1.0":
        chain = []
        name = json.loads(found["repositories"])["demo"]["1"]
        while name:
            document = json.loads(found[f"{name}/json"])
            chain.append(sha(found[f"{name}/layer.tar"]))
            name = document.get("parent")
        assert [item for item in chain[::-1] if item != sha(bytes(1024))] == expected
        assert len(chain) == 2 + 3  # ENV, USER and ENTRYPOINT are layers of nothing here
        return
    if kind == "dir":
        manifest = json.loads(found["manifest.json"])
        config = json.loads(found[manifest["config"]["digest"][7:]])
        layers = [found[each["digest"][7:]] for each in manifest["layers"]]
        assert found["version"] == b"Directory Transport Version: 1.1\n"
        assert check_layers(config, layers) == expected
        return
    grammars = 0
    if "manifest.json" in found:
        ((config, layers),) = docker_images(found)
        assert check_layers(config, layers) == expected
        assert config["config"] == {"Entrypoint": ["/bin/x"], "Env": ["A=1"], "User": "7"}
        grammars += 1
    if "oci-layout" in found:
        assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
        (top,) = json.loads(found["index.json"])["manifests"]
        assert top["annotations"]["org.opencontainers.image.ref.name"] == "1"
        document = json.loads(blob(found, top))
        if "manifests" in document:
            document = json.loads(blob(found, document["manifests"][0]))
        config = json.loads(blob(found, document["config"]))
        assert check_layers(config, [blob(found, each) for each in document["layers"]]) == expected
        grammars += 1
    assert grammars == (2 if kind in ("docker-save-25", "docker-containerd") else 1)


def test_one_spec_written_twice_is_byte_for_byte_the_same(tmp_path: Path) -> None:
    for kind in forge.KINDS:
        if kind in forge.FOLDER_KINDS or kind == "layer":
            continue
        assert forge.to_bytes(spec(), kind) == forge.to_bytes(spec(), kind), kind
        assert forge.write(spec(), tmp_path / kind, kind).read_bytes() == forge.to_bytes(spec(), kind)


@pytest.mark.parametrize("compression", forge.COMPRESSIONS)
def test_compressed_layers_unpack_to_their_diff_id(compression: str, tmp_path: Path) -> None:
    found = members(spec(), "oci-archive", tmp_path, compression=compression)
    (top,) = json.loads(found["index.json"])["manifests"]
    manifest = json.loads(blob(found, top))
    config = json.loads(blob(found, manifest["config"]))
    check_layers(config, [blob(found, each) for each in manifest["layers"]])
    family = compression.partition("-")[0]
    suffix = "" if family == "none" else f"+{family}"
    assert manifest["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar" + suffix


def test_unusual_framings_are_what_they_say() -> None:
    data = b"some bytes " * 100
    members_ = forge.compress(data, "gzip-members")
    assert members_.count(b"\x1f\x8b\x08") == 3 and gzip.decompress(members_) == data
    assert data in forge.compress(data, "zstd-raw") and data in forge.compress(data, "gzip-stored")
    assert forge.compress(data, "zstd-skippable").startswith(b"\x50\x2a\x4d\x18\x06\0\0\0before\x28\xb5\x2f\xfd")
    assert unpack(forge.compress(b"", "zstd-raw")) == b""
    big = bytes(range(256)) * 2000
    assert unpack(forge.compress(big, "zstd-raw")) == big
    with pytest.raises(UsageError, match="lzip"):
        forge.compress(b"", "lzip")


def test_chain_ids_follow_the_recurrence_of_the_spec() -> None:
    built = forge.assemble(spec())
    first, second = [layer.diff_id for layer in built.layers]
    assert built.chain_ids == (first, sha(f"{first} {second}".encode()))


def test_history_has_a_step_for_each_layer_and_each_setting() -> None:
    config = json.loads(forge.assemble(spec()).config.data)
    assert [(item["created_by"], item.get("empty_layer", False)) for item in config["history"]] == [
        ("COPY motd /etc/", False),
        ("COPY . / # buildkit", False),
        ("ENV A=1", True),
        ("USER 7", True),
        ('ENTRYPOINT ["/bin/x"]', True),
    ]


def test_the_config_keywords_land_where_the_spec_has_them() -> None:
    made = forge.image(
        entrypoint="a string",
        cmd=["c"],
        env=["X"],
        workdir="/w",
        labels={"l": "v"},
        volumes=["/v"],
        ports=["80/tcp"],
        stop_signal="SIGINT",
        healthcheck={"Test": ["NONE"]},
        shell=["/bin/zsh"],
        onbuild=["RUN x"],
        config={"Tty": True, "Cmd": None},
        extra={"os.version": "1", "created": None},
        variant="v8",
        architecture="arm64",
        author="someone",
    )
    config = json.loads(forge.assemble(made).config.data)
    assert config["config"] == {
        "Entrypoint": "a string",
        "Env": ["X"],
        "WorkingDir": "/w",
        "Labels": {"l": "v"},
        "Volumes": {"/v": {}},
        "ExposedPorts": {"80/tcp": {}},
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["NONE"]},
        "Shell": ["/bin/zsh"],
        "OnBuild": ["RUN x"],
        "Tty": True,
    }
    assert (config["architecture"], config["variant"], config["author"]) == ("arm64", "v8", "someone")
    assert config["os.version"] == "1" and "created" not in config


def fault(kind: str, **more: Any) -> forge.Assembled:
    return forge.assemble(spec(faults=[forge.Fault(kind=kind, **more)]))


def test_faults_break_exactly_what_they_name() -> None:
    good = forge.assemble(spec())
    flipped = fault("layer-bytes", layer=1, value=9)
    assert sha(flipped.layers[1].data) != flipped.layers[1].digest == good.layers[1].digest
    assert flipped.layers[0] == good.layers[0]
    assert fault("layer-size", value=-3).layers[0].size == len(good.layers[0].data) - 3
    assert json.loads(fault("diff-id", layer=1).config.data)["rootfs"]["diff_ids"][1] == "sha256:" + "f" * 64
    assert len(json.loads(fault("diff-id-count", value=2).config.data)["rootfs"]["diff_ids"]) == 4
    assert len(json.loads(fault("diff-id-count").config.data)["rootfs"]["diff_ids"]) == 1
    assert len(json.loads(fault("history-count", value=1).config.data)["history"]) == 6
    for name in ("config", "manifest"):
        changed: forge.Blob = getattr(fault(f"{name}-bytes"), name)
        assert json.loads(changed.data) and sha(changed.data) != changed.digest == getattr(good, name).digest
    assert fault("config-size").config.size == len(good.config.data) + 1
    assert fault("config-text", value="nonsense").config.data == b"nonsense"
    assert fault("manifest-text", value="[]").manifest.data == b"[]"
    doubled = fault("config-duplicate", value="wasm").config
    assert doubled.data.count(b'"architecture":') == 2 and json.loads(doubled.data)["architecture"] == "wasm"
    assert sha(doubled.data) == doubled.digest
    assert not fault("config-missing").config.present and not fault("manifest-missing").manifest.present


def test_impossible_faults_are_refused() -> None:
    with pytest.raises(UsageError, match="no fault"):
        fault("gremlins")
    with pytest.raises(UsageError, match="layer 5"):
        fault("diff-id", layer=5)
    with pytest.raises(UsageError, match="no byte"):
        fault("layer-bytes", value=10**9)


def test_hooks_see_bytes_before_and_after_the_digest() -> None:
    def edit(role: str, data: bytes) -> bytes:
        return data.replace(b"2024", b"2023") if role == "config" else data

    def damage(role: str, data: bytes) -> bytes:
        return data + b" " if role == "manifest" else data[:-1] if role == "layer-1" else data

    built = forge.assemble(spec(edit=edit, damage=damage))
    assert b"2023" in built.config.data and sha(built.config.data) == built.config.digest
    assert sha(built.manifest.data) != built.manifest.digest
    assert len(built.layers[1].data) == built.layers[1].size - 1


def test_missing_and_foreign_layers(tmp_path: Path) -> None:
    made = forge.image(
        forge.layer(forge.file("a"), missing=True, urls=["https://example.invalid/layer"], media_type="x/y"),
        forge.layer(forge.file("b"), annotations={"k": "v"}),
    )
    found = members(made, "oci-archive", tmp_path)
    (top,) = json.loads(found["index.json"])["manifests"]
    first, second = json.loads(blob(found, top))["layers"]
    assert first["urls"] == ["https://example.invalid/layer"] and first["mediaType"] == "x/y"
    assert "blobs/" + first["digest"].replace(":", "/") not in found
    assert second["annotations"] == {"k": "v"} and blob(found, second)
    assert "annotations" not in top


def test_several_images_share_their_blobs(tmp_path: Path) -> None:
    pair = [spec("one:1"), spec("org/two:2", architecture="arm64")]
    for kind in ("docker-archive", "podman-archive", "oci-archive", "crane", "nix", "docker-save-25"):
        found = members(pair, kind, tmp_path / kind)
        if kind != "oci-archive":
            images = docker_images(found)
            assert [config["architecture"] for config, _ in images] == ["amd64", "arm64"]
            first, second = [check_layers(*each) for each in images]
            assert first == second
            prefix = "docker.io/library/" if kind == "podman-archive" else ""
            other = "docker.io/" if kind == "podman-archive" else ""
            tags = [item["RepoTags"] for item in json.loads(found["manifest.json"])]
            assert tags == [[f"{prefix}one:1"], [f"{other}org/two:2"]]
    same_tag = members([spec("one:1"), spec("two:1", architecture="arm64")], "oci-archive", tmp_path)
    names = [item["annotations"] for item in json.loads(same_tag["index.json"])["manifests"]]
    assert [item["org.opencontainers.image.ref.name"] for item in names] == ["one:1", "two:1"]


def test_equal_layers_are_symlinks_in_the_old_docker_layout() -> None:
    twice = forge.layer(forge.file("same"))
    with tarfile.open(
        fileobj=io.BytesIO(forge.to_bytes(forge.image(twice, twice, names="x"), "docker-archive"))
    ) as tar:
        links = [member for member in tar if member.issym()]
        assert len(links) == 1 and links[0].linkname.startswith("../")
        names = tar.getnames()
        assert names == sorted(names) and "repositories" in names
    with tarfile.open(fileobj=io.BytesIO(forge.to_bytes(forge.image(twice), "docker-archive"))) as tar:
        assert "repositories" not in tar.getnames()
        found = tar.extractfile("manifest.json")
        assert found is not None and json.loads(found.read())[0]["RepoTags"] is None


def test_a_nested_index_lists_platforms(tmp_path: Path) -> None:
    layers = spec().layers
    multi = forge.index(
        forge.image(*layers), forge.image(*layers, architecture="arm64", variant="v8"), names=["demo:2", "d:l"]
    )
    found = members(multi, "buildx-oci", tmp_path)
    tops = json.loads(found["index.json"])["manifests"]
    assert [top["annotations"]["io.containerd.image.name"] for top in tops] == [
        "docker.io/library/demo:2",
        "docker.io/library/d:l",
    ]
    assert tops[0]["digest"] == tops[1]["digest"]
    inner = json.loads(blob(found, tops[0]))["manifests"]
    assert [each["platform"] for each in inner] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
    ]
    assert [json.loads(blob(found, each))["schemaVersion"] for each in inner] == [2, 2]


def test_the_containerd_store_is_sparse_and_attested(tmp_path: Path) -> None:
    found = members(spec(), "docker-containerd", tmp_path)
    (top,) = json.loads(found["index.json"])["manifests"]
    entries = json.loads(blob(found, top))["manifests"]
    here = ["blobs/" + each["digest"].replace(":", "/") in found for each in entries]
    assert [each["platform"]["architecture"] for each in entries] == ["amd64", "arm64", "unknown", "unknown"]
    assert here == [True, False, True, False]
    about = entries[2]["annotations"]
    assert about["vnd.docker.reference.type"] == "attestation-manifest"
    assert about["vnd.docker.reference.digest"] == entries[0]["digest"]
    statement = json.loads(blob(found, json.loads(blob(found, entries[2]))["layers"][0]))
    assert "sha256:" + statement["subject"][0]["digest"]["sha256"] == entries[0]["digest"]


def test_a_hybrid_can_hold_two_images(tmp_path: Path) -> None:
    other = forge.image(forge.layer(forge.file("other")), names="demo:1")
    for kind in ("docker-save-25", "docker-containerd"):
        found = members(spec(other=other), kind, tmp_path)
        ((config, layers),) = docker_images(found)
        check_layers(config, layers)
        (top,) = json.loads(found["index.json"])["manifests"]
        document = json.loads(blob(found, top))
        if "manifests" in document:
            document = json.loads(blob(found, document["manifests"][0]))
        oci = json.loads(blob(found, document["config"]))
        assert oci["rootfs"]["diff_ids"] == [sha(other.layers[0].content())] != config["rootfs"]["diff_ids"]


def test_apko_leaves_one_lone_zero_block_before_the_index() -> None:
    data = forge.to_bytes([spec(), spec(architecture="arm64")], "apko")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
        last = archive.getmember("manifest.json")
        found = archive.extractfile(last)
        assert found is not None
        assert [item["RepoTags"] for item in json.loads(found.read())] == [["demo:1-amd64"], ["demo:1-arm64"]]
    assert names[-1] == "manifest.json", "Python stops at the lone block"
    end = last.offset_data + last.size
    assert last.size % 512 == 0
    assert data[end : end + 512] == bytes(512) and data[end + 512 : end + 519] == b"sha256:"
    with tarfile.open(fileobj=io.BytesIO(data), ignore_zeros=True) as archive:
        assert archive.getnames()[-1] == "index.json"


def test_outer_compression_prefix_and_blocking() -> None:
    plain = forge.to_bytes(spec(), "docker-archive")
    for outer in ("gzip", "zstd", "xz", "bzip2"):
        packed = forge.to_bytes(spec(), "docker-archive", outer=outer)
        assert packed != plain and unpack(packed) == plain
    assert forge.to_bytes(spec(), "nix")[:2] == b"\x1f\x8b"
    assert forge.to_bytes(spec(), "nix", outer="none")[:2] != b"\x1f\x8b"
    for prefix in ("./", "image/"):
        with tarfile.open(fileobj=io.BytesIO(forge.to_bytes(spec(), "oci-archive", prefix=prefix))) as archive:
            assert prefix + "index.json" in archive.getnames()
            assert archive.getnames()[0] == prefix.rstrip("/")
    assert len(forge.to_bytes(spec(), "oci-archive", blocking=20)) % 10240 == 0


def test_the_root_file_system_alone() -> None:
    made = forge.image(
        forge.layer(
            forge.file("a/keep", "1"),
            forge.file("a/drop", "2"),
            forge.file("b/gone", "3"),
            forge.hardlink("link", "a/drop"),
            forge.directory("replaced"),
            forge.file("replaced/x"),
        ),
        forge.layer(
            forge.whiteout("a/drop"),
            forge.file("b/new", "4"),
            forge.opaque("b"),
            forge.file("replaced", "5"),
        ),
    )
    with tarfile.open(fileobj=io.BytesIO(forge.to_bytes(made, "rootfs"))) as archive:
        names = archive.getnames()
        found = archive.extractfile("link")
        assert found is not None and found.read() == b"2", "a hardlink keeps the content of a removed name"
    assert {"a/keep", "b/new", "link", "replaced", ".dockerenv", "etc/hostname"} <= set(names)
    assert not {"a/drop", "b/gone", "replaced/x"} & set(names)
    assert not [name for name in names if ".wh." in name]


def test_a_bare_layer() -> None:
    one = forge.image(forge.layer(forge.file("f", "x")))
    assert forge.to_bytes(one, "layer") == one.layers[0].content()
    assert gzip.decompress(forge.to_bytes(one, "layer", compression="gzip")) == one.layers[0].content()


def test_estargz_has_a_table_that_finds_every_file() -> None:
    files = [forge.directory("d"), forge.file("d/a", b"a" * 3000, uid=7), forge.symlink("d/s", "a"), forge.file("e")]
    layer = forge.estargz(*files)
    built = forge.assemble(forge.image(layer)).layers[0]
    assert gzip.decompress(built.data) == built.content and sha(built.content) == built.diff_id
    footer = built.data[-51:]
    assert gzip.decompress(footer) == b"" and footer[12:16] == b"SG\x16\0" and footer[32:38] == b"STARGZ"
    table = gzip.decompress(built.data[int(footer[16:32], 16) : -51])
    assert table.startswith(b"stargz.index.json\0")
    document = table[512:].partition(b"\0")[0]
    notes = built.descriptor()["annotations"]
    assert notes["containerd.io/snapshot/stargz/toc.digest"] == sha(document)
    assert notes["io.containers.estargz.uncompressed-size"] == str(len(built.content))
    rows = json.loads(document)["entries"]
    assert [row["name"] for row in rows] == ["d/", "d/a", "d/s", "e", ".no.prefetch.landmark"]
    assert zlib.decompressobj(31).decompress(built.data[rows[1]["offset"] :])[:3000] == b"a" * 3000
    assert rows[1]["digest"] == sha(b"a" * 3000) and rows[2]["linkName"] == "a"
    with tarfile.open(fileobj=io.BytesIO(built.content)) as archive:
        assert archive.getnames() == ["d", "d/a", "d/s", "e", ".no.prefetch.landmark"]
    lying = forge.estargz(*files, lie=True, landmark=False)
    assert sha(lying.content()) != sha(layer.content()) and b"d/-as-the-table-says" in lying.content()


def test_zstd_chunked_hides_its_table_in_skippable_frames() -> None:
    built = forge.assemble(forge.image(forge.zstd_chunked(forge.file("a", b"x" * 700), forge.file("b")))).layers[0]
    assert unpack(built.data) == built.content == forge.encode([forge.file("a", b"x" * 700), forge.file("b")])
    notes = built.descriptor()["annotations"]
    place = notes["io.github.containers.zstd-chunked.manifest-position"]
    offset, stored, size, kind = (int(word) for word in place.split(":"))
    packed = built.data[offset : offset + stored]
    assert built.data[offset - 8 : offset] == b"\x50\x2a\x4d\x18" + stored.to_bytes(4, "little")
    assert notes["io.github.containers.zstd-chunked.manifest-checksum"] == sha(packed)
    document = unpack(packed)
    assert (len(document), kind) == (size, 1)
    first, second = json.loads(document)["entries"]
    assert unpack(built.data[first["offset"] : first["endOffset"]]) == b"x" * 700
    assert first["digest"] == sha(b"x" * 700) and second["name"] == "b" and "offset" not in second
    assert built.data[-72:-64] == b"\x50\x2a\x4d\x18\x40\0\0\0" and built.data[-8:] == b"GnUlInUx"
    assert struct.unpack("<4Q", built.data[-64:-32]) == (offset, stored, size, 1)


def test_other_digest_algorithms_stand_in_folders_of_their_own(tmp_path: Path) -> None:
    found = members(spec(algorithm="sha512"), "oci-archive", tmp_path)
    (top,) = json.loads(found["index.json"])["manifests"]
    assert top["digest"].startswith("sha512:")
    data = found["blobs/" + top["digest"].replace(":", "/")]
    assert hashlib.sha512(data).hexdigest() == top["digest"][7:]
    manifest = json.loads(data)
    config = json.loads(found["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    check_layers(config, [found["blobs/" + each["digest"].replace(":", "/")] for each in manifest["layers"]])
    with pytest.raises(UsageError, match="SHA-256 only"):
        forge.to_bytes(spec(algorithm="sha512"), "docker-archive")
    with pytest.raises(UsageError, match="md5"):
        forge.to_bytes(spec(algorithm="md5"), "oci-archive")


def test_an_artifact_is_no_image(tmp_path: Path) -> None:
    subject = forge.assemble(spec()).manifest.descriptor()
    made = forge.image(
        forge.layer(blob=b"{}", media_type="application/spdx+json"),
        config_type="application/vnd.oci.empty.v1+json",
        artifact_type="application/spdx+json",
        subject=subject,
        index_annotations={"kind": "sbom"},
        inline=True,
        faults=[forge.Fault(kind="config-text", value="{}")],
        names="sbom:1",
    )
    found = members(made, "oci-archive", tmp_path)
    (top,) = json.loads(found["index.json"])["manifests"]
    assert top["artifactType"] == "application/spdx+json" and "platform" not in top
    assert top["annotations"] == {"kind": "sbom", "org.opencontainers.image.ref.name": "1"}
    manifest = json.loads(blob(found, top))
    assert manifest["subject"] == subject and blob(found, manifest["layers"][0]) == b"{}"
    assert manifest["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
        "data": "e30=",
    }


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda p: forge.to_bytes(spec(), "floppy"), "floppy"),
        (lambda p: forge.to_bytes(spec(), "oci-dir"), "directory"),
        (lambda p: forge.to_bytes(spec(), "layer"), "exactly one layer"),
        (lambda p: forge.to_bytes([spec(), spec()], "jib"), "exactly one image"),
        (lambda p: forge.to_bytes([spec(), spec()], "rootfs"), "exactly one image"),
        (lambda p: forge.to_bytes(spec(), compression="lzip"), "lzip"),
        (lambda p: forge.to_bytes(spec(), outer="lzip"), "lzip"),
        (lambda p: forge.to_bytes(spec(), "apko", prefix="x/"), "prefix"),
        (lambda p: forge.write(spec(), p / "d", "oci-dir", outer="gzip"), "directory"),
        (lambda p: forge.write(spec(), p, "oci-dir"), "not empty"),
        (lambda p: forge.members(spec(), "apko"), "apko"),
        (lambda p: forge.to_bytes(forge.image(forge.layer(tar=b"x")), "rootfs"), "flattened"),
        (lambda p: forge.to_bytes(forge.image(forge.layer(forge.Entry(kind="no")))), "layer L1, entry 0"),
    ],
)
def test_what_cannot_be_written_is_a_usage_error(call: Any, word: str, tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with pytest.raises(UsageError) as caught:
        call(tmp_path)
    assert word in str(caught.value)


def test_specs_survive_pickle_and_say_what_they_are() -> None:
    assert pickle.loads(pickle.dumps(spec())) == spec()
    assert repr(spec()) == "<ImageSpec demo:1: 2 layers, linux/amd64>"
    assert repr(forge.file("a", "bc")) == "<Entry file b'a', 2 bytes>"
