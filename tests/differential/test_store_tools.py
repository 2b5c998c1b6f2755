"""Archives that skopeo and umoci write from one image: every kind opens as that same image."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "archive"))

from store_archives import LAYER, LAYER2, one_image, written

from imagepeel.archive.codec import make_decoder
from imagepeel.archive.compression import sniff_compression
from imagepeel.archive.opened import OpenArchive, open_archive
from imagepeel.archive.records import LayerRecord
from imagepeel.limits import DEFAULT

pytestmark = pytest.mark.judge
needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not on PATH")
needs_umoci = pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not on PATH")
DIFF_IDS = tuple("sha256:" + hashlib.sha256(layer).hexdigest() for layer in (LAYER, LAYER2))


@pytest.fixture
def source(tmp_path: Path) -> str:
    return f"oci:{written(tmp_path / 'source', one_image(name='1'))}:1"


def run(*command: str | Path, cwd: Path | None = None) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=120, cwd=cwd)


def copy(source: str, target: str, *options: str) -> None:
    run("skopeo", "copy", "--insecure-policy", "--quiet", *options, source, target)


def content(layer: LayerRecord) -> bytes:
    stored = layer.source()
    data = stored.pread(0, stored.size)
    decoder = make_decoder(sniff_compression(data[:16]), DEFAULT)
    pieces = b"".join(decoder.feed(data))
    decoder.finish()
    return pieces


def is_the_image(container: OpenArchive) -> bool:
    (record,) = container.records
    assert record.complete
    assert record.config is not None
    assert record.config.diff_ids == DIFF_IDS
    assert record.config.cmd == ("/bin/tool",)
    assert [content(layer) for layer in record.layers] == [LAYER, LAYER2]
    assert not [check for check in container.checks if check.state in ("mismatch", "missing")]
    assert container.anomalies == ()
    return True


@needs_skopeo
@pytest.mark.parametrize(
    ("target", "options", "kind", "names"),
    [
        ("docker-archive:{}:app:1", (), "docker-archive", ("docker.io/library/app:1",)),
        ("oci-archive:{}:app:1", (), "oci-layout", ("app:1",)),
        ("oci:{}:other", (), "oci-layout", ("other",)),
        ("oci:{}", (), "oci-layout", ()),
        ("oci:{}:1", ("--dest-compress", "--dest-compress-format", "zstd"), "oci-layout", ("1",)),
        ("oci:{}:1", ("--dest-compress", "--dest-compress-format", "gzip"), "oci-layout", ("1",)),
        ("oci:{}:1", ("--format", "v2s2"), "oci-layout", ("1",)),
        ("dir:{}", (), "dir", ()),
        ("dir:{}", ("--format", "v2s2"), "dir", ()),
        ("dir:{}", ("--format", "v2s2", "--dest-compress"), "dir", ()),
    ],
)
def test_every_transport_of_skopeo_holds_the_same_image(
    source: str, tmp_path: Path, target: str, options: tuple[str, ...], kind: str, names: tuple[str, ...]
) -> None:
    copy(source, target.format(tmp_path / "out"), *options)
    with open_archive(tmp_path / "out") as container:
        assert container.kind.name == kind
        assert container.records[0].tags == names
        # What an OCI layout looks like does not tell its writer; the other kinds do.
        assert ("skopeo" in container.producer.name) if container.producer else kind == "oci-layout"
        assert is_the_image(container)


@needs_skopeo
def test_a_schema_1_copy_has_the_layers_and_the_command(source: str, tmp_path: Path) -> None:
    copy(source, f"dir:{tmp_path / 'out'}", "--format", "v2s1")
    with open_archive(tmp_path / "out") as container:
        (record,) = container.records
        assert record.labels == ("schema 1",)
        assert [content(layer) for layer in record.layers] == [LAYER, LAYER2]
        assert record.config is not None
        assert record.config.cmd == ("/bin/tool",)
        assert len(record.config.layer_steps) == 2


@needs_skopeo
def test_shared_blobs_are_found_in_their_directory(source: str, tmp_path: Path) -> None:
    copy(source, f"oci:{tmp_path / 'out'}:1", "--dest-shared-blob-dir", str(tmp_path / "shared"))
    with open_archive(tmp_path / "out") as container:
        assert container.records[0].missing == ("manifest",)
    with open_archive(tmp_path / "out", blobs=tmp_path / "shared") as container:
        assert is_the_image(container)


@needs_skopeo
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on PATH")
def test_encrypted_layers_are_named_and_everything_else_is_read(source: str, tmp_path: Path) -> None:
    run("openssl", "genrsa", "-out", tmp_path / "key", "2048")
    run("openssl", "rsa", "-in", tmp_path / "key", "-pubout", "-out", tmp_path / "public")
    copy(source, f"oci:{tmp_path / 'out'}:1", "--encryption-key", f"jwe:{tmp_path / 'public'}")
    with open_archive(tmp_path / "out") as container:
        (record,) = container.records
        assert [layer.state for layer in record.layers] == ["encrypted", "encrypted"]
        assert record.config is not None
        assert record.config.diff_ids == DIFF_IDS


@needs_umoci
def test_a_layout_that_umoci_edited_has_both_tags(tmp_path: Path) -> None:
    layout = written(tmp_path / "layout", one_image(name="1"))
    run("umoci", "config", "--image", f"{layout}:1", "--tag", "2", "--config.user", "app")
    run("umoci", "tag", "--image", f"{layout}:1", "same")
    with open_archive(layout) as container:
        assert [(r.tags, r.config.user if r.config else None, r.complete) for r in container.records] == [
            (("1", "same"), "", True),
            (("2",), "app", True),
        ]


@needs_umoci
def test_an_image_that_umoci_makes_from_nothing_has_no_layers(tmp_path: Path) -> None:
    run("umoci", "init", "--layout", tmp_path / "new")
    with open_archive(tmp_path / "new") as container:
        assert container.records == ()
        assert [anomaly.code for anomaly in container.anomalies] == ["oci-index-empty"]
    run("umoci", "new", "--image", f"{tmp_path / 'new'}:1")
    with open_archive(tmp_path / "new") as container:
        (record,) = container.records
        assert (record.kind, record.tags, record.layers, record.complete) == ("image", ("1",), (), True)
