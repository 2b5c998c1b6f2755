"""`views` and `wtf` stand on one detection of layer surprises: what one says, the other says too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest

from imagepeel import forge
from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.findings.catalogue import RULES, find_rule
from imagepeel.findings.examine import examine
from imagepeel.findings.example import archive_of
from imagepeel.findings.finding import SEVERITIES, Finding
from imagepeel.findings.rules.examples import EXAMPLES
from imagepeel.findings.rules.unpack.rules import RULES as REFUSALS
from imagepeel.findings.semantics.codes import CODES, MOST, Code
from imagepeel.findings.semantics.compare import compare
from imagepeel.findings.semantics.notes import ONTO, notes
from imagepeel.verbs import Image

ROOT = (forge.directory("bin"), forge.file("bin/hello", b"\x7fELF", 0o755), forge.directory("etc"))


def said_by_both(data: bytes) -> set[str]:
    """The codes of an archive's layers, which `views` and `wtf` must agree on."""
    with open_archive(MemorySource(data)) as archive:
        image = archive.images()[0]
        views = compare(image)
        found = examine(image)
    noted = {note.code for note in views.notes}
    refused = {rule.id for rule in REFUSALS} if "runtime" in views.refusals else set()
    # What stands in documents is no surprise of a layer, and a refusal is told by `views` in its own words.
    of_layers = [each for each in found if any(place.layer is not None for place in each.locations)]
    told = {find_rule(each.rule).of for each in of_layers if find_rule(each.rule).of}
    backed = {find_rule(each.rule).of for each in of_layers if each.rule in refused}
    if any(ONTO in line for each in of_layers for line in each.details):
        told.add("ROOTLESS")  # with its reason
    assert noted <= told, "views says it, wtf does not"
    assert told <= noted | backed, "wtf says it, views does not"
    return set(noted)


@pytest.mark.parametrize("good", [False, True])
@pytest.mark.parametrize("rule", sorted(EXAMPLES))
def test_the_images_of_the_catalogue(rule: str, good: bool) -> None:
    example = EXAMPLES[rule]
    said = said_by_both(archive_of(example.good() if good else example.bad()))
    of = find_rule(rule).of
    assert not good or not said
    assert good or not of or of in said or find_rule(rule) in REFUSALS


def layered(*entries: forge.Entry) -> bytes:
    """An image with a small base and one layer of these entries."""
    top = forge.layer(*entries, created_by="COPY a / # buildkit")
    base = forge.layer(*ROOT, created_by="ADD rootfs.tar / # buildkit")
    return forge.to_bytes(forge.image(base, top, entrypoint=["/bin/hello"], names="demo:1"), "docker-archive")


A = forge.file("etc/a", "x", 0o644)
DRIFTED: dict[str, tuple[tuple[forge.Entry, ...], str, str]] = {
    "a line separator": ((forge.file("etc/a\u2028b", "x"),), "CTRLCHAR", "low"),
    "a byte order mark": ((forge.file("etc/a\ufeffb", "x"),), "CTRLCHAR", "low"),
    "an escape in a link target": ((forge.symlink("etc/a", "x\x1by"),), "CTRLCHAR", "low"),
    "a uid beyond 2^31": ((forge.file("etc/x", "x", uid=3_000_000_000),), "UIDWRAP", "info"),
    "a uid beyond 2^32": ((forge.file("etc/x", "x", uid=1 << 32),), "UIDWRAP", "medium"),
    "a mode in a chain of hardlinks": (
        (A, forge.hardlink("etc/b", "etc/a", 0o644), forge.hardlink("etc/c", "etc/b", 0o600)),
        "LINKMETA",
        "low",
    ),
    "a time of a hardlink": ((A, forge.hardlink("etc/b", "etc/a", 0o644, mtime=5)), "LINKMETA", "info"),
    "an attribute that Docker refuses": (
        (forge.file("etc/a", "x", xattrs=((b"system.foo", b"1"),)),),
        "XATTRDROP",
        "low",
    ),
    "an attribute that podman drops": (
        (forge.file("etc/a", "x", xattrs=((b"security.selinux", b"1"),)),),
        "XATTRDROP",
        "low",
    ),
    "an attribute of the root": ((forge.directory("./", 0o755, xattrs=((b"user.a", b"1"),)),), "ROOTATTR", "low"),
    "a directory twice": ((forge.directory("etc/d"), forge.directory("etc/d")), "DUP", "high"),
    "a file twice": ((forge.file("etc/d", "x"), forge.file("etc/d", "y")), "DUP", "high"),
    "a file twice, once with a slash": ((forge.file("etc/d", "x"), forge.file("/etc/d", "y")), "DUP", "low"),
    "a device below /dev": ((forge.directory("dev"), forge.device("dev/sda", 8, 0, block=True)), "DEVICE", "info"),
    "a device elsewhere": ((forge.device("etc/sda", 8, 0, block=True),), "DEVICE", "low"),
    "a removed file of a few bytes": ((forge.whiteout("bin/hello"),), "DELETEDBYTES", "info"),
    "other names over a collision": ((forge.file("ETC/x", "y"),), "CASE", "info"),
}


@pytest.mark.parametrize("case", DRIFTED)
def test_where_two_detections_once_disagreed(case: str) -> None:
    entries, code, severity = DRIFTED[case]
    data = layered(*entries)
    assert said_by_both(data) == {code}
    assert [each.severity for each in found_of(data, code)] == [severity]


def found_of(data: bytes, code: str) -> list[Finding]:
    """The findings of the rule of a code."""
    with open_archive(MemorySource(data)) as archive:
        return list(examine(archive.images()[0], [find_rule(code)]))


def test_a_plain_image_has_neither_notes_nor_findings_of_layers() -> None:
    assert said_by_both(layered(forge.file("etc/motd", "x"))) == set()


def test_a_serious_place_is_told_though_many_lesser_ones_come_first() -> None:
    nodes = [forge.device(f"dev/n{i}", 8, i, block=True) for i in range(20)]
    found = found_of(layered(forge.directory("dev"), *nodes, forge.device("etc/disk", 8, 0, block=True)), "DEVICE")
    assert [(each.severity, each.message.partition(":")[0]) for each in found] == [
        ("low", "1 device node outside /dev"),
        ("info", "20 device nodes below /dev, where every runtime mounts its own"),
    ]
    assert len(found[1].locations) == MOST


def images() -> Iterator[Image]:
    for name in ("shop", "zoo", "resurrect", "linkshadow"):
        with open_archive(MemorySource(forge.to_bytes(forge.build(name), "docker-archive"))) as archive:
            yield archive.images()[0]


def test_a_finding_has_the_places_of_its_notes() -> None:
    seen = 0
    for image in images():
        for note in notes(image):
            (rule,) = [rule for rule in RULES if rule.of == note.code]
            places = {(place.layer, place.path) for each in examine(image, [rule]) for place in each.locations}
            if note.code not in ("ROOTLESS", "DELETEDBYTES"):
                assert (note.where.layer, note.where.path) in places or note.where.path in {path for _, path in places}
                seen += 1
    assert seen


def test_every_code_has_its_rule_and_every_degree_its_severity() -> None:
    assert set(CODES) == set(get_args(Code)) == {rule.of for rule in RULES if rule.of}
    for rule in RULES:
        for words, severity in rule.lesser:
            assert SEVERITIES.index(severity) > SEVERITIES.index(rule.severity), rule.id
            assert words and not words.endswith(".")
