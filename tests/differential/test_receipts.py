"""Every receipt of the story, run in a real bash: it succeeds and shows what it promises.

The receipts are plain commands of GNU tar, coreutils, gzip, zstd, bzip2, xz, jq and readelf, so these tools judge
what imagepeel says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.errors import Ambiguous, ImagepeelError
from imagepeel.evidence import Receipt
from imagepeel.present.document import Story
from imagepeel.present.story.chapters import explain_image
from imagepeel.process.image_prediction import predict_image
from imagepeel.receipts.proof import step_receipts, waste_receipts
from imagepeel.results.anatomy import anatomy_of_archive, anatomy_of_entry, anatomy_of_layer, anatomy_of_member

sys.path.insert(0, str(Path(__file__).parents[1]))
from sampling import sample

TOOLS = ("bash", "tar", "gzip", "zstd", "bzip2", "xz", "jq", "readelf", "od", "sha256sum", "awk", "find")
ABSENT = [tool for tool in TOOLS if shutil.which(tool) is None]
IMAGES = Path(__file__).resolve().parents[3] / "shared" / "images"

pytestmark = [
    pytest.mark.judge,
    pytest.mark.skipif(bool(ABSENT), reason=f"missing tools: {', '.join(ABSENT)}"),
]

NEEDS = re.compile("; needs (.+)$")
HOSTILE = "a b;touch PWNED $(touch PWNED2) `x` \x1b[31m 'q\" \u202e -rf: \n.tar"
"""A file name that hurts wherever quoting is forgotten."""

REAL = (
    "GoogleContainerTools+jib/jib-core/src/integration-test/resources/core/busybox-jib.tar",
    "GoogleContainerTools+jib/jib-core/src/integration-test/resources/core/busybox-docker.tar",
    "GoogleContainerTools+kaniko/integration/tar.tar",
    "aquasecurity+trivy/pkg/fanal/test/testdata/alpine-310.tar.gz",
    "anchore+stereoscope/pkg/image/oci/testdata/valid-oci.tar",
    "bazelbuild+rules_docker/docker/util/testdata/image_with_symlinked_layer.tar",
    "buildpacks+imgutil/layout/testdata/layout/busybox",
    "chainguard-dev+apko/internal/cli/testdata/top_image",
    "containers+common/libimage/testdata/buildkit-docker.tar",
    "containers+common/libimage/testdata/docker-unnamed.tar.xz",
    "containers+image/signature/fixtures/dir-img-cosign-valid",
    "google+go-containerregistry/pkg/v1/mutate/testdata/whiteout_image.tar",
    "google+go-containerregistry/pkg/v1/tarball/testdata/no_manifest.tar",
    "nexB+container-inspector/tests/data/cli/hello-world.tar",
    "sylabs+oci-tools/test/images/many-layers",
    "sylabs+oci-tools/test/images/whiteout-opaque",
    "wagoodman+dive/.data/test-docker-image.tar",
    "wagoodman+dive/.data/test-kaniko-image.tar",
    "wagoodman+dive/.data/test-oci-estargz-image.tar",
    "wagoodman+dive/.data/test-oci-zstd-image.tar",
    "GoogleContainerTools+container-diff/util/testTars/la-croix-wh.tar",
    "nexB+container-inspector/tests/data/image/windows-mini-image.tar.gz",
)

KINDS = [
    ("docker-archive", "", ""),
    ("docker-archive", "gzip", ""),
    ("docker-archive", "", "zstd"),
    ("docker-v1.0", "", ""),
    ("docker-save-25", "", "gzip"),
    ("docker-containerd", "", ""),
    ("oci-archive", "zstd", ""),
    ("oci-archive", "none", "xz"),
    ("oci-archive", "bzip2", "bzip2"),
    ("oci-dir", "xz", ""),
    ("dir", "", ""),
    ("crane", "", ""),
    ("jib-lowercase", "", ""),
    ("nix", "", ""),
    ("apko", "", ""),
    ("rootfs", "", ""),
    ("rootfs", "", "gzip"),
]


def run_all(receipts: list[Receipt], where: Path, scratch: Path, shell: str = "bash", path: str = "") -> list[str]:
    """Run the receipts in one shell, each in a subshell, and return what is wrong with them."""
    scratch.mkdir()
    script = "".join(
        f"(\n{receipt.command}\n) > {scratch}/{i}.out 2> {scratch}/{i}.err; echo $? > {scratch}/{i}.rc\n"
        for i, receipt in enumerate(receipts)
    )
    environment = {
        "PATH": path or os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(scratch),
        "HOME": str(scratch),
    }
    (scratch / "all.sh").write_bytes(script.encode("utf-8", "surrogateescape"))
    subprocess.run(
        [shutil.which(shell) or shell, scratch / "all.sh"],
        cwd=where,
        env=environment,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    wrong = []
    for i, receipt in enumerate(receipts):
        code = (scratch / f"{i}.rc").read_text().strip()
        out = (scratch / f"{i}.out").read_bytes()
        expect = receipt.expect.encode("utf-8", "surrogateescape")
        # A bare number must be the whole answer, not a part of a longer number.
        met = out.strip() == expect if receipt.expect.isdigit() and len(expect) < 32 else expect in out
        if code != "0" or not met:
            error = (scratch / f"{i}.err").read_text(errors="replace")[:200]
            wrong.append(f"{receipt.command}\n  exit {code}, expected {receipt.expect!r}, got {out[:200]!r} {error}")
    return wrong


BSD = {"tar": "bsdtar", "awk": "original-awk"}
"""Tools of macOS and the BSDs, by the names that Debian gives them."""
SHELLS = ("mksh", "zsh")
PLAIN = (
    "cat",
    "cut",
    "find",
    "gzip",
    "head",
    "mktemp",
    "od",
    "rm",
    "sed",
    "sha256sum",
    "sort",
    "tail",
    "tr",
    "wc",
    "zstd",
)
ELSEWHERE = [tool for tool in (*BSD.values(), *SHELLS, *PLAIN) if shutil.which(tool) is None]


@pytest.fixture(scope="session")
def bsd(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH in which tar is libarchive's and awk is BWK's, without GNU tar, gawk, readelf, jq and xxd."""
    folder = tmp_path_factory.mktemp("bsd")
    for name, tool in {**{tool: tool for tool in PLAIN}, **BSD}.items():
        (folder / name).symlink_to(str(shutil.which(tool)))
    return str(folder)


def receipts_in(value: object) -> Iterator[Receipt]:
    """Every receipt somewhere in a result."""
    if isinstance(value, Receipt):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from receipts_in(getattr(value, name))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from receipts_in(one)


def all_receipts(path: str) -> list[Receipt]:
    """What explain, the findings, the steps of a start and anatomy say of an image."""
    with imagepeel.open(path) as archive:
        try:
            image = archive.image()
        except Ambiguous:
            image = archive.image("#1")
        found = [*explain_image(image).receipts()]
        found += [receipt for finding in image.findings() for receipt in finding.evidence.receipts]
        found += [receipt for step in step_receipts(predict_image(image).steps, image) for receipt in step]
        found += waste_receipts(image.waste(), image)
        found += receipts_in(anatomy_of_archive(image))
        fields: list[Receipt] = []
        for layer in (layer for layer in image.layers if layer.readable):
            found += [one for one in [anatomy_of_layer(image, layer).proof] if one is not None]
            fields += receipts_in([anatomy_of_entry(image, layer, entry) for entry in layer.table[:2]])
            fields += receipts_in(anatomy_of_layer(image, layer))
        if archive.medium == "tar":
            members = {image.record.manifest_member, image.record.config_member, "manifest.json", "index.json"}
            known = [name for name in sorted(members) if name and archive.members.file(name)]
            fields += receipts_in([anatomy_of_member(image, name) for name in known])
        found += fields[:: max(1, len(fields) // 15)]
    return list({receipt.command: receipt for receipt in found}.values())


@pytest.mark.skipif(bool(ELSEWHERE), reason=f"missing tools: {', '.join(ELSEWHERE)}")
@pytest.mark.parametrize("shell", SHELLS)
def test_receipts_with_the_tools_of_macos(
    shell: str, bsd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    """Each receipt shows there what it says, or says which tool it needs."""
    where = tmp_path / "in"
    where.mkdir()
    monkeypatch.chdir(where)
    wrong = []
    for number, name in enumerate(sample(pytestconfig, forge.NAMES, 8)):
        forge.write(forge.build(name), where / f"{name}.tar")
        receipts = all_receipts(f"{name}.tar")
        there = [receipt for receipt in receipts if not NEEDS.search(receipt.shows)]
        assert len(there) >= 3
        wrong += run_all(there, where, tmp_path / str(number), shell, bsd)
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(bool(ELSEWHERE), reason=f"missing tools: {', '.join(ELSEWHERE)}")
@pytest.mark.parametrize("kind", ["oci-archive", "oci-dir", "rootfs"])
def test_receipts_of_kinds_with_the_tools_of_macos(
    kind: str, bsd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "in"
    where.mkdir()
    monkeypatch.chdir(where)
    for number, (image, name) in enumerate([("shop", "image"), ("zoo", "-v:x.tar")]):
        forge.write(forge.build(image), where / name, kind)
        there = [receipt for receipt in all_receipts(name) if not NEEDS.search(receipt.shows)]
        wrong = run_all(there, where, tmp_path / str(number), "zsh", bsd)
        assert not wrong, "\n".join(wrong)


@pytest.mark.shared
@pytest.mark.skipif(bool(ELSEWHERE), reason=f"missing tools: {', '.join(ELSEWHERE)}")
@pytest.mark.skipif(not IMAGES.is_dir(), reason="the real images are not beside the checkout")
def test_receipts_of_real_images_with_the_tools_of_macos(
    bsd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    """A sample, all of them with --all-starts; the two shells take turns."""
    wrong = []
    for number, name in enumerate(sample(pytestconfig, REAL, 3)):
        path = IMAGES / name
        monkeypatch.chdir(path.parent)
        there = [receipt for receipt in all_receipts(path.name) if not NEEDS.search(receipt.shows)]
        wrong += run_all(there, path.parent, tmp_path / str(number), SHELLS[number % 2], bsd)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("damage", ["Mon Oct 12 13:18:43 CEST 2020\n", "x" * 2000])
def test_a_layer_that_is_no_tar_is_shown_as_bytes(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both tars refuse it, so a listing would show nothing."""
    monkeypatch.chdir(tmp_path)
    forge.write(forge.build("hello"), tmp_path / "in", "oci-dir", compression="none")
    with imagepeel.open("in") as archive:
        member = archive.image().layers[0].record.member
    (tmp_path / "in" / member).write_text(damage)
    assert subprocess.run(["tar", "-tf", f"in/{member}"], capture_output=True, check=False).returncode
    receipts = all_receipts("in")
    assert not [one for one in receipts if one.command.startswith("tar -tv") and "|" not in one.command]
    shown = [one for one in receipts if one.command.startswith(f"head -c 512 in/{member} | od")]
    assert shown and run_all(shown, tmp_path, tmp_path / "out") == []
    for number in range(len(shown)):
        assert (tmp_path / "out" / f"{number}.out").read_text().split()[:3] == [f"{ord(c):02x}" for c in damage[:3]]


def test_what_a_receipt_needs_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, packed in (("shop", ""), ("zoo", "xz"), ("no-library", "zstd")):
        forge.write(forge.build(name), tmp_path / f"{name}.tar", "docker-archive", compression=packed)
        for receipt in all_receipts(f"{name}.tar"):
            said = NEEDS.search(receipt.shows)
            rare = ("jq", "readelf", "zstd", "xz")
            uses = [word for word in rare if re.search(rf"(^|[|;{{]) ?{word} ", receipt.command)]
            uses += ["GNU tar"] * ("--no-unquote" in receipt.command)
            assert (said[1].split(" and ") if said else []) == uses, receipt
            assert not re.search(r"\bxxd\b|cat -A|--wildcards|-printf|--force-local|base64 -w|\btac\b", receipt.command)


def test_each_field_has_the_command_that_prints_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    forge.write(forge.build("shop"), tmp_path / "shop.tar", "oci-archive")
    with imagepeel.open("shop.tar") as archive:
        image = archive.image()
        shell = next(entry for entry in image.layers[0].table if entry.path == b"/bin/sh")
        parts = [anatomy_of_member(image, "index.json"), anatomy_of_entry(image, image.layers[0], shell)]
        units = anatomy_of_layer(image, image.layers[0]).layers[0].stored
    assert units is not None
    fields = [*parts[0].fields, *parts[0].content, *parts[1].fields, *parts[1].content, *units.units[0].fields]
    assert all(field.proof is not None for field in fields) and len(fields) > 60
    receipts = [field.proof for field in fields if field.proof is not None]
    assert [one.expect for one in receipts] == [bytes.fromhex(field.hex)[:16].hex(" ") for field in fields]
    assert run_all(receipts, tmp_path, tmp_path / "out") == []


def story_of(path: str, reference: str | None = None) -> Story:
    with imagepeel.open(path) as archive:
        try:
            image = archive.image(reference)
        except Ambiguous:
            image = archive.image("#1")
        return explain_image(image)


def check(name: str, where: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, reference: str | None = None) -> None:
    monkeypatch.chdir(where)
    before = sorted(os.listdir(where))
    story = story_of(name, reference)
    receipts = list(story.receipts())
    assert len(receipts) >= 4
    wrong = run_all(receipts, where, scratch)
    assert not wrong, "\n".join(wrong)
    assert sorted(os.listdir(where)) == before, "a receipt left something behind"


@pytest.mark.parametrize("name", forge.NAMES)
def test_receipts_of_the_gallery(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "in"
    where.mkdir()
    forge.write(forge.build(name), where / f"{name}.tar")
    check(f"{name}.tar", where, tmp_path / "out", monkeypatch)


@pytest.mark.parametrize("name", ["shop", "zoo", "no-library", "broken-entrypoint", "lost-path"])
def test_receipts_of_a_start_and_of_waste(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "in"
    where.mkdir()
    forge.write(forge.build(name), where / "image.tar")
    monkeypatch.chdir(where)
    with imagepeel.open("image.tar") as archive:
        image = archive.image()
        of_steps = step_receipts(predict_image(image).steps, image)
        of_waste = waste_receipts(image.waste(), image)
    assert any(of_steps)
    assert [receipt.expect for receipt in of_waste] == (["300000", "200000", "120000"] if name == "shop" else [])
    receipts = [receipt for step in of_steps for receipt in step] + list(of_waste)
    assert run_all(receipts, where, tmp_path / "out") == []


@pytest.mark.parametrize(
    ("kind", "compression", "outer", "name"),
    [(*packing, "shop") for packing in KINDS] + [(*packing, "zoo") for packing in KINDS[::4]],
)
def test_receipts_of_archive_kinds(
    kind: str, compression: str, outer: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "in"
    where.mkdir()
    folder = kind in forge.FOLDER_KINDS
    forge.write(forge.build(name), where / "image", kind, compression=compression, outer="" if folder else outer)
    check("image", where, tmp_path / "out", monkeypatch)


@pytest.mark.parametrize("kind", ["docker-archive", "oci-dir", "rootfs"])
@pytest.mark.parametrize("name", ["-v:x.tar", HOSTILE])
def test_receipts_of_a_hostile_file_name(kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "in"
    where.mkdir()
    forge.write(forge.build("control-characters"), where / name, kind)
    check(name, where, tmp_path / "out", monkeypatch)


def test_receipts_of_hostile_names_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "in"
    where.mkdir()
    names = ["bin/$(touch PWNED)", "-rf", "x;touch PWNED", "*", "a\nb", "bin/`id`", "caf\u00e9", "\u202egnp"]
    spec = forge.image(
        forge.layer(*(forge.file(name, f"content of {name!r}") for name in names), forge.file(b"\xff\xfe", "bytes")),
        forge.layer(*(forge.whiteout(name) for name in names if "/" not in name)),
        entrypoint=["/bin/$(touch PWNED)"],
        names="hostile:1",
    )
    forge.write(spec, where / "h.tar")
    check("h.tar", where, tmp_path / "out", monkeypatch)


@pytest.mark.shared
@pytest.mark.skipif(not IMAGES.is_dir(), reason="the real images are not beside the checkout")
@pytest.mark.parametrize("name", REAL)
def test_receipts_of_real_images(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = IMAGES / name
    try:
        check(path.name, path.parent, tmp_path / "out", monkeypatch)
    except ImagepeelError as error:
        pytest.fail(f"{name}: {error}")
