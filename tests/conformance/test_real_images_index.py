"""Real archives of other projects: what is read from each agrees with what was measured of it independently.

The corpus lies beside the checkout; its `index.tsv` holds, for each file, facts that GNU tar, skopeo and a reader
that shares no code with this one found.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from imagepeel.archive.codec import CodecError, make_decoder
from imagepeel.archive.compression import sniff_compression
from imagepeel.archive.opened import OpenArchive, open_archive
from imagepeel.archive.records import LayerRecord
from imagepeel.errors import ImagepeelError
from imagepeel.limits import DEFAULT

ROOT = Path(__file__).resolve().parents[2].parent / "shared" / "images"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (ROOT / "index.tsv").exists(), reason="the shared images are not beside the checkout"),
]


class Row(NamedTuple):
    path: str
    kind: str
    notes: str


def _rows() -> list[Row]:
    index = ROOT / "index.tsv"
    if not index.exists():
        return []
    lines = index.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [Row(row[0], row[2], row[7]) for row in rows if (ROOT / row[0]).exists()]


ROWS = _rows()
IMAGES = [row for row in ROWS if row.kind.startswith("image:") and "BROKEN" not in row.kind]
BROKEN = [row for row in ROWS if "BROKEN" in row.kind]
DOCKER = [row for row in IMAGES if "docker: " in row.notes]
OCI = [row for row in IMAGES if "oci: " in row.notes]
FLAT = [row for row in ROWS if row.kind.split()[0] in ("layer", "rootfs", "golden", "windows", "tar-torture")]

# The file in the corpus is the text of a symbolic link (`../dir-img-cosign-valid/manifest.json`), not a manifest.
LINK_TEXT = "containers+image/signature/fixtures/dir-img-cosign-other-attachment"


def ids(rows: list[Row]) -> list[str]:
    return [row.path for row in rows]


def note(row: Row, part: str, key: str) -> str:
    """Return the value of `key=` in the `docker:` or `oci:` part of the notes, "" when it is not there."""
    section = next(s for s in row.notes.split(" | ") if s.startswith(part + ": "))
    found = re.search(rf"(?:^|\s){key}=(\[[^]]*\]|\S*)", section)
    return found[1].strip("[]") if found else ""


def diff_id_of(layer: LayerRecord) -> str:
    source = layer.source()
    decoder = make_decoder(sniff_compression(source.pread(0, 16)), DEFAULT)
    digest = hashlib.sha256()
    for chunk in source.chunks():
        for piece in decoder.feed(chunk):
            digest.update(piece)
    decoder.finish()
    return f"sha256:{digest.hexdigest()}"


def diff_ids(container: OpenArchive) -> Counter[bool]:
    """Count the layers of images whose content has the DiffID that the config states (True) and has not (False)."""
    count: Counter[bool] = Counter()
    for record in container.runnable:
        for layer in record.layers:
            if layer.state == "present" and layer.diff_id is not None:
                try:
                    count[diff_id_of(layer) == layer.diff_id] += 1
                except (CodecError, ImagepeelError):
                    count[False] += 1
    return count


def test_the_corpus_is_there() -> None:
    assert len(IMAGES) >= 110
    assert len(BROKEN) >= 15


@pytest.mark.parametrize("row", DOCKER, ids=ids(DOCKER))
def test_docker_archives_agree_with_the_index(row: Row) -> None:
    with open_archive(ROOT / row.path) as container:
        described = [record for record in container.records if "docker-archive" in map(str, record.formats)]
        images = int(re.search(r"docker: (\d+) img", row.notes)[1])  # type: ignore[index]
        tags = {tag for tag in note(row, "docker", "tags").split(",") if tag != "<none>"}

        assert container.kind.name in ("docker-archive", "hybrid")
        assert len(described) == images
        assert {name.text for r in described for name in r.names if name.origin == "RepoTags"} == tags
        assert sum(len(record.layers) for record in described) == int(note(row, "docker", "layers"))
        missing = [layer for record in described for layer in record.layers if layer.state != "present"]
        assert len(missing) == int(note(row, "docker", "missing"))
        platform = note(row, "docker", "plat")
        if platform:
            assert platform in {str(record.platform) for record in described}
        wanted = int(note(row, "docker", "diffid_ok"))
        assert diff_ids(container) == Counter({True: wanted} if wanted else {})


@pytest.mark.parametrize("row", OCI, ids=ids(OCI))
def test_oci_layouts_agree_with_the_index(row: Row) -> None:
    with open_archive(ROOT / row.path) as container:
        present = [record for record in container.records if record.manifest is not None]
        indexes = [index for index in container.indexes[1:] if index.index is not None]

        assert container.kind.name in ("oci-layout", "hybrid")
        assert len(present) == int(note(row, "oci", "manifests"))
        assert len(indexes) == int(note(row, "oci", "idx"))

        own = {name.text for r in (*container.records, *container.indexes) for name in r.names if not name.inherited}
        listed = note(row, "oci", "names").split(",")
        assert {name for name in listed if name not in ("-", "…", "")} <= own

        platforms = [p.partition("@")[0] for p in note(row, "oci", "plat").split(",") if p and not p.startswith("…")]
        assert set(platforms) <= {str(record.platform) for record in container.records}

        declared = Counter(layer.media_type for record in present for layer in record.layers)
        wanted = Counter[str]()
        for item in filter(None, note(row, "oci", "layers").split(",")):
            media_type, _, count = item.rpartition(":")
            wanted[media_type] += int(count)
        found = _shortened(declared)
        # The index lists at most five types of one layout.
        assert {kind: found[kind] for kind in wanted} == wanted
        if len(wanted) < 5:
            assert found == wanted


def _shortened(types: Counter[str]) -> Counter[str]:
    """The index leaves out `application/vnd.`, as it does for these well-known prefixes only."""
    found: Counter[str] = Counter()
    for media_type, count in types.items():
        found[media_type.replace("application/vnd.", "")] += count
    return found


@pytest.mark.parametrize("row", OCI, ids=ids(OCI))
def test_missing_blobs_of_layouts_agree_with_the_index(row: Row) -> None:
    wanted = int(note(row, "oci", "missing_blobs") or 0)
    with open_archive(ROOT / row.path) as container:
        missing = {check.digest: check.role for check in container.checks if check.state == "missing"}
        # The index counts every descriptor of a missing manifest; here two descriptors of one are one record.
        listed = [child for index in container.indexes for child in index.children if child in missing]
        configs = [digest for digest, role in missing.items() if role == "config"]
        layers = [layer.digest for r in container.records for layer in r.layers if layer.state == "missing"]
        assert len(listed) + len(configs) + len(layers) == wanted


@pytest.mark.parametrize("row", OCI, ids=ids(OCI))
def test_documents_and_layers_of_intact_layouts_verify(row: Row) -> None:
    with open_archive(ROOT / row.path) as container:
        assert [check for check in container.checks if check.state == "mismatch"] == []
        assert diff_ids(container)[False] == 0


@pytest.mark.parametrize("row", IMAGES, ids=ids(IMAGES))
def test_every_intact_image_opens_and_says_by_which_rule(row: Row) -> None:
    if row.path == LINK_TEXT:
        with pytest.raises(ImagepeelError, match="symbolic link that was stored as text"):
            open_archive(ROOT / row.path)
        return
    with open_archive(ROOT / row.path) as container:
        assert container.records
        assert container.detection.sentence
        assert container.detection.saw
        for seen in container.detection.saw:
            assert container.members.get(seen) is not None


@pytest.mark.parametrize("row", BROKEN, ids=ids(BROKEN))
def test_every_broken_image_gives_a_clear_error_or_a_partial_answer(row: Row) -> None:
    try:
        container = open_archive(ROOT / row.path)
    except ImagepeelError as error:
        assert error.what
        assert error.hint
        return
    with container:
        said = [
            *container.anomalies,
            *(check for check in container.checks if check.state in ("mismatch", "missing")),
            *(missing for record in container.records for missing in record.missing),
        ]
        # The Windows image is read without a fault: its config only spells a key in another case.
        assert said or diff_ids(container)[False] or row.path.endswith("windows-mini-image.tar.gz")


@pytest.mark.parametrize("row", FLAT, ids=ids(FLAT))
def test_tars_that_are_no_image_open_as_one_layer_or_end_in_a_clear_error(row: Row) -> None:
    try:
        container = open_archive(ROOT / row.path)
    except ImagepeelError as error:
        assert row.kind.startswith("tar-torture")
        assert error.hint
        return
    with container:
        assert container.kind.name in ("rootfs", "layer", "windows-layer", "tar")
        (record,) = container.records
        assert record.config is None
        assert record.lost
        assert record.layers[0].size == (ROOT / row.path).stat().st_size


def test_known_kinds_of_flat_tars() -> None:
    kinds = {}
    for path in (
        "containers+common/libimage/testdata/exported-container.tar",
        "nexB+container-inspector/tests/data/distro/windows-container-rootfs.tar",
        "regclient+regclient/testdata/layer-wh.tar",
        "regclient+regclient/testdata/layer.tar",
    ):
        with open_archive(ROOT / path) as container:
            kinds[path.rpartition("/")[2]] = container.kind.name
    assert kinds == {
        "exported-container.tar": "rootfs",
        "windows-container-rootfs.tar": "windows-layer",
        "layer-wh.tar": "layer",
        "layer.tar": "tar",
    }


def test_signatures_beside_an_image_are_not_images() -> None:
    with open_archive(ROOT / "sylabs+oci-tools/test/images/hello-world-cosign-manifest") as container:
        assert [record.kind for record in container.records] == ["image", "cosign", "cosign"]


def test_a_directory_of_shared_blobs_completes_a_layout() -> None:
    layout = ROOT / "containers+image/oci/layout/fixtures/delete_image_shared_blobs_dir"
    with open_archive(layout) as alone:
        assert [record.missing for record in alone.records] == [("manifest",)]
    with open_archive(layout, blobs=layout / "shared_blobs") as container:
        assert [record.missing for record in container.records] == [()]


@pytest.mark.parametrize(
    ("path", "writer"),
    [
        ("GoogleContainerTools+kaniko/integration/tar.tar", "kaniko"),
        ("wagoodman+dive/.data/test-kaniko-image.tar", "kaniko"),
        ("GoogleContainerTools+jib/jib-core/src/integration-test/resources/core/busybox-jib.tar", "Jib"),
        ("wagoodman+dive/.data/test-docker-image.tar", "docker save before 25"),
        ("moby+moby/integration-cli/testdata/emptyLayer.tar", "docker save before 1.10"),
        ("containers+common/libimage/testdata/buildkit-docker.tar", "buildx"),
        ("google+go-containerregistry/pkg/v1/tarball/testdata/hello-world-v25.tar", "docker save 25"),
    ],
)
def test_the_probable_writer_is_named_with_its_habit(path: str, writer: str) -> None:
    with open_archive(ROOT / path) as container:
        assert container.producer is not None
        assert writer in container.producer.name
        assert container.producer.habit
