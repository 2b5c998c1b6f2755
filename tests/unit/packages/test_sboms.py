"""SBOMs as BuildKit attaches them, in both of its forms, against what the image has."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

import imagepeel
from imagepeel import forge

Make = Callable[..., Path]
Run = Callable[..., Any]
Shape = Literal["annotated", "artifact"]
INDEX = "application/vnd.oci.image.index.v1+json"
UNKNOWN = {"architecture": "unknown", "os": "unknown"}
SPDX, CYCLONEDX = "https://spdx.dev/Document", "https://cyclonedx.org/bom"


def put(layout: Path, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data), **more}


def attach(archive: Path, layout: Path, shape: Shape, kind: str, predicate: Any, *, subject: str = "") -> Path:
    """Unpack an OCI archive of one image and attach a statement (BuildKit, attestation-storage.md; image-spec 1.1)."""
    with tarfile.open(archive) as tar:
        tar.extractall(layout, filter="data")
    index = json.loads((layout / "index.json").read_text())
    image = index["manifests"][0]
    about = subject or image["digest"].partition(":")[2]
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": kind,
        "subject": [{"name": "pkg:docker/packages@1", "digest": {"sha256": about}}],
        "predicate": predicate,
    }
    intoto = "application/vnd.in-toto+json"
    blob = put(layout, json.dumps(statement).encode(), intoto, annotations={"in-toto.io/predicate-type": kind})
    manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    if shape == "annotated":
        config = {
            "architecture": "unknown",
            "os": "unknown",
            "rootfs": {"type": "layers", "diff_ids": [blob["digest"]]},
        }
        config = put(layout, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
    else:
        manifest["artifactType"] = "application/vnd.docker.attestation.manifest.v1+json"
        manifest["subject"] = {key: image[key] for key in ("mediaType", "digest", "size")}
        config = put(layout, b"{}", "application/vnd.oci.empty.v1+json")
    manifest |= {"config": config, "layers": [blob]}
    notes = {"vnd.docker.reference.digest": image["digest"], "vnd.docker.reference.type": "attestation-manifest"}
    entry = put(layout, json.dumps(manifest).encode(), manifest["mediaType"], annotations=notes)
    inner = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [image, {**entry, "platform": UNKNOWN}]}
    index["manifests"] = [put(layout, json.dumps(inner).encode(), INDEX)]
    (layout / "index.json").write_text(json.dumps(index))
    return layout


@pytest.fixture(scope="module")
def image(forge_archive: Make) -> Path:
    def stanza(name: str) -> str:
        return f"Package: {name}\nStatus: install ok installed\nVersion: 1:{len(name)}-1\nArchitecture: amd64\n\n"

    def of(*names: str) -> list[forge.Entry]:
        lists = [forge.file(f"var/lib/dpkg/info/{name}.list", f"/.\n/usr/{name}\n") for name in names]
        return [forge.file("var/lib/dpkg/status", "".join(map(stanza, names))), *lists]

    spec = forge.image(
        forge.layer(
            *of("here", "gone", "unseen", "emptied"),
            *(forge.file(f"usr/{name}", name) for name in ("here", "gone", "unseen", "emptied")),
            forge.file("srv/node_modules/@s/p/package.json", '{"name": "@s/p", "version": "2.0.0"}'),
        ),
        forge.layer(
            *of("here", "unseen", "emptied"), forge.whiteout("usr/gone"), forge.whiteout("usr/emptied"),
            forge.whiteout("var/lib/dpkg/info/gone.list"),
        ),
        names="packages:1",
    )  # fmt: skip
    return forge_archive(spec, name="sbom.tar", kind="oci-archive")


PURLS = {
    "here": "pkg:deb/debian/here@1%3A4-1?arch=amd64&distro=debian-12",
    "gone": "pkg:deb/debian/gone@1:4-1?arch=amd64",
    "emptied": "pkg:deb/debian/emptied@1:7-1",
    "never": "pkg:deb/debian/never@1",
    "@s/p": "pkg:npm/%40s/p@2.0.0",
    "go": "pkg:golang/example.org/m@v1",
}


def spdx() -> dict[str, Any]:
    packages = [
        {"name": name, "versionInfo": "?", "externalRefs": [{"referenceType": "purl", "referenceLocator": purl}]}
        for name, purl in PURLS.items()
    ]
    root = {"name": "packages", "primaryPackagePurpose": "CONTAINER"}
    return {
        "spdxVersion": "SPDX-2.3",
        "packages": [root, *packages],
        "files": [{"fileName": "usr/here"}, {"fileName": "/no"}],
    }


def cyclonedx() -> dict[str, Any]:
    components = [{"type": "library", "name": name, "version": "?", "purl": purl} for name, purl in PURLS.items()]
    components[0]["components"] = [components.pop()]  # type: ignore[assignment]
    files = [{"type": "file", "name": name} for name in ("/usr/here", "/no")]
    return {
        "bomFormat": "CycloneDX",
        "components": [*components, *files, {"type": "operating-system", "name": "debian"}],
    }


def compared(layout: Path) -> tuple[imagepeel.results.SbomComparison, ...]:
    with imagepeel.open(layout) as archive:
        return archive.image().packages().sboms


@pytest.mark.parametrize("shape", ["annotated", "artifact"])
@pytest.mark.parametrize(("kind", "predicate"), [(SPDX, spdx()), (CYCLONEDX, cyclonedx())], ids=["spdx", "cyclonedx"])
def test_an_sbom_is_held_against_the_image(
    shape: Shape, kind: str, predicate: Any, image: Path, tmp_path: Path, run_cli: Run
) -> None:
    layout = attach(image, tmp_path / "layout", shape, kind, predicate)
    (found,) = compared(layout)
    assert (found.format, found.why, found.complete) == ("SPDX" if kind == SPDX else "CycloneDX", "", True)
    assert (found.listed, found.installed, found.not_compared) == (6, 2, 1)
    assert [one.name for one in found.removed] == ["gone"]
    assert sorted(one.name for one in found.absent) == ["emptied", "never"]
    assert found.unlisted == ("pkg:deb/debian/unseen@1:6-1?arch=amd64",)
    assert (found.files, found.files_absent) == (2, ("/no",))
    told = " ".join(run_cli("packages", layout).stdout.split())
    assert "6 packages listed, 2 of them installed; 1 only in a layer that a later one removed; 2 not there" in told
    assert "installed and not listed: pkg:deb/debian/unseen@" in told and "an unsigned claim" in told


@pytest.mark.judge
@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not on this machine")
@pytest.mark.parametrize("shape", ["annotated", "artifact"])
def test_skopeo_takes_the_layout_with_its_attestation(shape: Shape, image: Path, tmp_path: Path) -> None:
    layout = attach(image, tmp_path / "layout", shape, SPDX, spdx())
    copied = tmp_path / "copied"
    words = ["skopeo", "--insecure-policy", "copy", "-q", "--all", f"oci:{layout}", f"oci:{copied}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert compared(copied)[0].listed == 6


@pytest.mark.parametrize(
    ("predicate", "subject", "why"),
    [(None, "", "no document"), ([], "", "no document"), (spdx(), "0" * 64, "its subject is another image")],
)
def test_what_is_no_sbom_of_this_image_is_not_used(
    predicate: Any, subject: str, why: str, image: Path, tmp_path: Path, run_cli: Run
) -> None:
    layout = attach(image, tmp_path / "layout", "annotated", SPDX, predicate, subject=subject)
    (found,) = compared(layout)
    assert why in found.why and not found.complete and not found.absent
    assert "It is not used" in run_cli("packages", layout).stdout


@pytest.mark.parametrize(
    "predicate",
    [
        {
            "packages": [1, None, {"name": 3, "externalRefs": [{"referenceType": "purl", "referenceLocator": 1}]}],
            "files": 3,
        },
        {"packages": {"a": "b"}, "files": [{"fileName": None}]},
        {"packages": [{"externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:deb/"}]}]},
        {"packages": [{"externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:deb/@@%zz?#"}]}]},
    ],
)
def test_odd_documents_list_nothing_that_is_there(predicate: Any, image: Path, tmp_path: Path) -> None:
    (found,) = compared(attach(image, tmp_path / "layout", "annotated", SPDX, predicate))
    assert found.installed == 0 and found.unlisted_total == 4


def test_a_statement_of_another_type_than_is_written_on_it_is_said(image: Path, tmp_path: Path) -> None:
    layout = attach(image, tmp_path / "layout", "annotated", "https://slsa.dev/provenance/v1", spdx())
    for blob in (layout / "blobs/sha256").iterdir():
        data = blob.read_bytes()
        if b"in-toto.io/predicate-type" in data:
            wrong = data.replace(b"https://slsa.dev/provenance/v1", SPDX.encode())
            manifest = hashlib.sha256(data).hexdigest(), hashlib.sha256(wrong).hexdigest()
            (layout / "blobs/sha256" / manifest[1]).write_bytes(wrong)
            sizes = len(data), len(wrong)
    index = json.loads((layout / "index.json").read_text())
    inner = layout / "blobs" / index["manifests"][0]["digest"].replace(":", "/")
    changed = inner.read_bytes().replace(manifest[0].encode(), manifest[1].encode())
    changed = changed.replace(f'"size": {sizes[0]}'.encode(), f'"size": {sizes[1]}'.encode())
    index["manifests"] = [put(layout, changed, INDEX)]
    (layout / "index.json").write_text(json.dumps(index))
    (found,) = compared(layout)
    assert "not of the type" in found.why and found.format is None


def test_changed_bytes_of_a_statement_are_not_used(image: Path, tmp_path: Path) -> None:
    layout = attach(image, tmp_path / "layout", "annotated", SPDX, spdx())
    for blob in (layout / "blobs/sha256").iterdir():
        data = blob.read_bytes()
        if b"spdxVersion" in data:
            blob.write_bytes(data.replace(b"SPDX-2.3", b"SPDX-2.4"))
    (found,) = compared(layout)
    assert "contradict its digest" in found.why


def test_an_sbom_of_what_was_not_read_says_so(image: Path, tmp_path: Path, run_cli: Run) -> None:
    layout = attach(image, tmp_path / "layout", "annotated", SPDX, spdx())
    index = json.loads((layout / "index.json").read_text())
    for _ in range(2):
        index = json.loads((layout / "blobs" / index["manifests"][0]["digest"].replace(":", "/")).read_text())
    (layout / "blobs" / index["layers"][1]["digest"].replace(":", "/")).unlink()
    (found,) = compared(layout)
    assert not found.complete
    told = run_cli("packages", layout).stdout
    assert "not there:" not in told and "not seen in what could be read" in told
