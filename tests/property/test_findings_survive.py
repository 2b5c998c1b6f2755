"""Laws: whatever the bytes are, examining an image ends in findings or in an ImagepeelError, and figures add up.

Whatever the layers do, `views` and `wtf` say the same about them.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagepeel import forge
from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text
from imagepeel.findings.catalogue import find_rule
from imagepeel.findings.examine import examine
from imagepeel.findings.example import archive_of
from imagepeel.findings.names import ENDS, EXACT
from imagepeel.findings.rules.examples import EXAMPLES
from imagepeel.findings.rules.merge.rules import ROOTLESS_DIFFERS
from imagepeel.findings.rules.unpack.rules import RULES as REFUSALS
from imagepeel.findings.rules.unpack.rules import store_refuses_layer
from imagepeel.findings.semantics.notes import ONTO, notes, notes_of
from imagepeel.limits import Limits
from imagepeel.rootfs.engines.tar_split import SENTENCE

ARCHIVES = {name: archive_of(example.bad()) for name, example in sorted(EXAMPLES.items()) if name != "TOO-MANY-LAYERS"}

STORES = ("docker@20.10", "podman")
"""The views of the engines that `wtf` asks and that have no other store; Docker 29 may keep images in containerd's."""

ASKED = [text(name) for name in sorted(EXACT)] + [f"x{text(end)}" for end in sorted(ENDS)]
_KNOWN = (
    "bin usr lib etc sh bash env passwd group shadow hosts proc sys dev run var tmp lock root home .git objects "
    "ld.so.conf ld.so.cache ld-musl-x86_64.so.1 nsswitch.conf ssl certs ca-certificates.crt .wh..wh.plnk .wh..wh..opq "
    "apt lists cache apk db installed .ssh authorized_keys .docker .aws postgresql data share python3 node nginx"
)
KNOWN = _KNOWN.split()
CONTENT = (
    b"#!/bin/sh\nexec app\n",
    b"#!/bin/sh\r\n",
    b"#! /usr/bin/env -S sh -c",
    b"\x7fELF\x02\x01\x01",
    b"root:x:0:0:root:/root:/bin/sh\n",
    b"TOKEN=ghp_abcdefghijklmnopqrstuvwxyz0123456789\n",
    b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----\n",
    b'{"auths": {"x": {"auth": "dXNlcjpwYXNzd29yZA=="}}}',
)
names = st.lists(st.sampled_from("abcAB.wh-"), min_size=1, max_size=8).map("".join)
names = st.one_of(names, st.sampled_from(ASKED), st.sampled_from(KNOWN), st.sampled_from(KNOWN))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
contents = st.one_of(st.binary(max_size=40), st.sampled_from(CONTENT))
entries = st.lists(
    st.one_of(
        st.builds(forge.file, paths, contents, st.integers(0, 0o7777), st.integers(0, 1 << 33)),
        st.builds(forge.directory, paths, st.integers(0, 0o7777)),
        st.builds(forge.symlink, paths, paths),
        st.builds(forge.hardlink, paths, paths),
        st.builds(forge.whiteout, paths),
        st.builds(forge.opaque, paths),
        st.builds(forge.device, paths, st.integers(0, 300), st.integers(0, 300)),
        st.builds(forge.fifo, paths),
    ),
    max_size=8,
)
words = st.lists(st.one_of(st.text(max_size=12), paths, paths.map("/{}".format)), max_size=4)


def survive(data: bytes) -> None:
    try:
        archive = open_archive(MemorySource(data), limits=Limits.strict())
        images = archive.images()
        for image in images:
            image.scan()
    except ImagepeelError:
        return
    with archive:
        for image in images:
            # What could be read is examined, whatever it holds: no rule ends in an error.
            for finding in examine(image):
                assert finding.message
                assert len(finding.show) == len(finding.locations)
                assert all(figure.adds_up for figure in finding.figures)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(ARCHIVES)),
    changes=st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.one_of(st.none(), st.integers(0, 1 << 30)),
)
def test_damaged_archives_end_in_findings_or_an_error(
    name: str, changes: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(ARCHIVES[name])
    for at, value in changes:
        data[at % len(data)] = value
    survive(bytes(data if cut is None else data[: cut % len(data)]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    layers=st.lists(entries, min_size=1, max_size=3),
    entrypoint=words,
    cmd=words,
    env=words,
    volumes=words,
    user=st.text(max_size=8),
)
def test_any_image_ends_in_findings(
    layers: list[list[forge.Entry]],
    entrypoint: list[str],
    cmd: list[str],
    env: list[str],
    volumes: list[str],
    user: str,
) -> None:
    spec = forge.image(
        *[forge.layer(*each) for each in layers],
        entrypoint=entrypoint,
        cmd=cmd,
        env=env,
        volumes=volumes,
        user=user,
        names="x:1",
    )
    survive(forge.to_bytes(spec, "docker-archive"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layers=st.lists(entries, min_size=1, max_size=3))
def test_views_and_findings_say_the_same(layers: list[list[forge.Entry]]) -> None:
    spec = forge.image(*[forge.layer(*each) for each in layers], cmd=["/x"], names="x:1")
    with open_archive(MemorySource(forge.to_bytes(spec, "docker-archive"))) as archive:
        image = archive.images()[0]
        noted = {note.code for note in notes(image)}
        # Both filesystems are compared here in any case, and elsewhere only where a note gives a reason.
        assert ("ROOTLESS" in noted) == any(note.code == "ROOTLESS" for note in notes_of(image.layers, image.view))
        found = examine(image)
        rules = {find_rule(finding.rule) for finding in found}
        told = any(ONTO in line for finding in found for line in (finding.message, *finding.details))
        assert ("ROOTLESS" in noted) == told
        if ROOTLESS_DIFFERS not in rules:
            noted.discard("ROOTLESS")
        assert noted == {rule.of for rule in rules if rule.of and (rule not in REFUSALS or rule.of in noted)}
        containerd = {rule for rule in rules if rule in REFUSALS and rule is not store_refuses_layer}
        assert image.rootfs.refusal is not None or {rule.of for rule in containerd} <= noted
        alone = [] if image.rootfs.refusal is not None else [image.view(name).refusal for name in STORES]
        reasons = {refusal.reason for refusal in alone if refusal is not None}
        assert (store_refuses_layer in rules) == bool(reasons - {SENTENCE})
        assert SENTENCE not in reasons or "DUP" in noted
