"""Checks in the cases that examples do not show: numbers, several engines, incomplete images, secrets in outputs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from imagepeel import forge
from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.findings.catalogue import find_rule
from imagepeel.findings.examine import examine
from imagepeel.findings.example import archive_of
from imagepeel.findings.finding import Figure, Finding, figure
from imagepeel.findings.names import Names
from imagepeel.findings.rules.examples import EXAMPLES
from imagepeel.findings.subject import Subject
from imagepeel.forge import programs
from imagepeel.forge.entry import directory, file
from imagepeel.forge.image import ImageSpec, LayerSpec, Step
from imagepeel.forge.specimens import add, complete_root, sound
from imagepeel.verbs import Image


@contextmanager
def image_of(spec: ImageSpec) -> Iterator[Image]:
    with open_archive(MemorySource(archive_of(spec))) as archive:
        yield archive.images()[0]


def found(spec: ImageSpec, rule: str) -> list[Finding]:
    with image_of(spec) as image:
        return list(examine(image, [find_rule(rule)]))


def test_shop_teaches_deleted_is_not_gone() -> None:
    with image_of(forge.build("shop")) as image:
        by_rule = {finding.rule: finding for finding in image.findings()}
    secret = by_rule["DELETED-SECRET"]
    assert secret.locations[0].path == "/srv/shop/.env" and secret.locations[0].layer == 3
    assert any("brings the file back" in receipt.shows for receipt in secret.evidence.receipts)
    # 120,000 and 40,000 bytes of packages and the 80 bytes of .env, by the recipe of the image.
    assert by_rule["DELETED-BYTES"].figures[0].total == 120_000 + 40_000 + len(
        b"SHOP_DB_PASSWORD=this-is-not-a-real-password\nSHOP_API_KEY=EXAMPLE-KEY-0000-0000\n"
    )
    # The chown ships catalog, logo (once, although it has two names), page and program again.
    parts = {part.label: part.value for part in by_rule["METADATA-COPY"].figures[0].parts}
    assert parts["/srv/shop/catalog.bin"] == 300_000
    assert sum(value for label, value in parts.items() if "static" in label) == 200_000


def test_no_output_holds_the_secret() -> None:
    key = forge.file("srv/.env", "API_TOKEN=do-not-print-me-anywhere\n")
    token = "npm_" + "aB3dE5gH7jK9" * 3
    spec = sound(add(key), env=["PATH=/bin", f"NPM_TOKEN={token}"], history=None)
    with image_of(spec) as image:
        text = msgspec.json.encode(image.findings()).decode()
    assert "do-not-print-me" not in text
    assert token not in text
    assert "npm_..." in text


def test_engines_that_disagree_are_named() -> None:
    spec = EXAMPLES["ROOT-ONLY-PROGRAM"].bad()
    assert isinstance(spec, ImageSpec)
    (finding,) = found(spec, "ROOT-ONLY-PROGRAM")
    assert "docker@20.10" in finding.profiles and "docker@29.7" not in finding.profiles
    assert finding.severity == "high"


def test_nothing_is_proved_about_files_of_a_missing_layer() -> None:
    gone = add(forge.file("bin/tool", programs.hello(), 0o755), missing=True)
    spec = msgspec.structs.replace(sound(gone, entrypoint=["/bin/tool"]), kind="oci-archive")
    with image_of(spec) as image:
        rules = {finding.rule for finding in examine(image)}
    assert "MISSING-PARTS" in rules
    assert not rules & {"COMMAND-MISSING", "COMMAND-NOT-FOUND"}


def test_unknown_is_never_a_finding() -> None:
    # A loader that nobody knows: whether its libraries are found cannot be told.
    loader = forge.file("lib64/ld-linux-x86-64.so.2", programs.hello(), 0o755)
    program = forge.file("bin/tool", _dynamic(), 0o755)
    with image_of(sound(add(loader, program), entrypoint=["/bin/tool"])) as image:
        subject = Subject(image)
        assert {start.verdict.kind for start in subject.starts} == {"UNKNOWN"}
        assert [finding for finding in examine(image) if finding.severity == "high"] == []


def _dynamic() -> bytes:
    from imagepeel.forge.elf import LOADERS, elf

    return elf(interpreter=LOADERS["amd64"], needed=["libc.so.6"])


@pytest.mark.parametrize(
    ("script", "stays"),
    [
        ("#!/bin/sh\n/bin/hello\n", True),
        ('#!/bin/sh\nset -e\n"$@"\n', True),
        ("#!/bin/sh\nexport A=1\n\n/bin/hello --loud\n# the end\n", True),
        ("#!/bin/sh\nif true; then\n  /bin/hello\nfi\n", True),
        ('#!/bin/sh\nexec "$@"\n', False),
        ("#!/bin/sh\nif true; then exec /bin/hello; fi\n", False),
        ("#!/bin/sh\n/bin/hello --prepare\nexec /bin/hello\n", False),
    ],
)
def test_a_script_stays_process_1_unless_it_execs(script: str, stays: bool) -> None:
    spec = sound(add(forge.file("run.sh", script, 0o755)), entrypoint=["/run.sh"], cmd=["/bin/hello"])
    assert bool(found(spec, "SCRIPT-WITHOUT-EXEC")) is stays


def test_figures_add_up_and_keep_the_rest() -> None:
    made = figure("x", "bytes", range(30), str)
    assert made.total == sum(range(30)) and len(made.parts) == 10 and made.adds_up
    assert made.rest is not None and made.rest.label == "20 more"
    assert not Figure(what="x", unit="bytes", total=1).adds_up


def test_instructions_of_both_builders() -> None:
    lines = [
        '/bin/sh -c #(nop)  CMD ["sh"]',
        'CMD ["sh"]',
        "RUN |1 TOKEN=a b c /bin/sh -c make # buildkit",
        "|1 TOKEN=a /bin/sh -c make",
        "/bin/sh -c make",
        "bazel build ...",
    ]
    with image_of(sound(entrypoint=None, history=[Step(created_by=line, empty=True) for line in lines])) as image:
        steps = Subject(image).instructions
    assert [step.keyword for step in steps] == ["CMD", "CMD", "RUN", "RUN", "RUN", ""]
    assert [step.arguments for step in steps] == [(), (), ("TOKEN=a b c",), ("TOKEN=a",), (), ()]


SHELLS = ["/bin/sh -c", "/bin/bash -c", "/bin/bash -o pipefail -c", "/bin/ash -eo pipefail -c"]


def worded(rule: str, old: str, new: str) -> ImageSpec:
    """The bad image of a rule, with a part of what its builder wrote into history exchanged."""
    spec = EXAMPLES[rule].bad()
    assert isinstance(spec, ImageSpec)

    def changed(created_by: str) -> str:
        return created_by.replace(old, new)

    layers = tuple(msgspec.structs.replace(layer, created_by=changed(layer.created_by)) for layer in spec.layers)
    history = None
    if spec.history is not None:
        history = tuple(msgspec.structs.replace(step, created_by=changed(step.created_by)) for step in spec.history)
    made = msgspec.structs.replace(spec, layers=layers, history=history)
    assert made != spec or old == new, "the text does not occur"
    return made


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("rule", ["HEALTHCHECK-LOST", "INHERITED-ENTRYPOINT", "VOLUME-CONTENT"])
def test_a_setting_is_read_behind_any_shell(rule: str, shell: str) -> None:
    """The classic builder writes the image's own SHELL before `#(nop)` (moby builder/dockerfile, withCmdComment)."""
    word = {"HEALTHCHECK-LOST": "HEALTHCHECK", "INHERITED-ENTRYPOINT": "ENTRYPOINT", "VOLUME-CONTENT": "VOLUME"}[rule]
    assert found(worded(rule, word, f"{shell} #(nop)  {word}"), rule)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_build_argument_ends_where_any_shell_begins(shell: str) -> None:
    (finding,) = found(worded("SECRET-IN-HISTORY", "/bin/sh -c", shell), "SECRET-IN-HISTORY")
    assert finding.message == "history step 2 shows NPM_TOKEN ghp_... (40 characters)"


def test_names_refuse_what_nobody_registered() -> None:
    names = Names(())
    assert names.named(b".env") == []
    with pytest.raises(AssertionError):
        names.named(b"no rule asks for this")


def test_a_flood_is_bounded_and_says_so() -> None:
    entries = [forge.file(f"srv/{n}.key", _key(n)) for n in range(80)]
    findings = found(sound(add(*entries)), "SHIPPED-SECRET")
    assert len(findings) == 50
    assert [f.message for f in findings if "not listed" in f.message] == [
        "31 more findings of this rule are not listed"
    ]


@pytest.mark.parametrize("name", [".p8", "a.p8", "AuthKey_AB12.p8", "a.pem", ".env"])
def test_a_key_is_found_by_the_end_of_its_name(name: str) -> None:
    """The first name of a layer has fewer bytes in front of its end than a tail has."""
    findings = found(sound(forge.layer(forge.file(name, _key(1)))), "SHIPPED-SECRET")
    assert [finding.locations[0].path for finding in findings] == [f"/{name}"]


def _key(number: int) -> str:
    body = f"{number:04}" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9cD1fG3hJ5"
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


def test_pickle() -> None:
    import pickle

    with image_of(forge.build("shop")) as image:
        findings = image.findings()
    assert pickle.loads(pickle.dumps(findings)) == findings


def test_base_rootfs_alone_has_no_surprise() -> None:
    with image_of(sound(base=complete_root())) as image:
        assert image.findings() == ()


def test_a_quoted_command_line_holds_no_token() -> None:
    token = "ghp_" + "aB3dE5gH7jK9" * 3
    spec = sound(entrypoint=None, cmd=["/bin/sh", "-c", f"TOKEN={token} /bin/hello; true"], history=[])
    with image_of(spec) as image:
        findings = image.findings()
    assert "SHELL-PID1" in {finding.rule for finding in findings}
    assert token not in msgspec.json.encode(tuple(findings)).decode()
    assert token not in repr(findings.to_dicts())


def test_findings_have_a_card_and_rows() -> None:
    with image_of(forge.build("control-characters")) as image:
        findings = image.findings()
    card = findings._repr_mimebundle_()
    assert card["text/plain"].startswith("<Findings: ")
    assert "CONTROL-CHARACTERS" in card["text/html"]
    assert "\x1b" not in card["text/html"] and "<b>bold" not in card["text/html"]
    rows = findings.to_dicts()
    assert len(rows) == len(findings) and set(rows[0]) >= {"severity", "rule", "message", "fix"}


def test_no_findings_have_a_card_too() -> None:
    with image_of(sound()) as image:
        findings = image.findings()
    assert repr(findings) == "<Findings: none>"
    assert "no findings" in findings._repr_mimebundle_()["text/html"]


def test_a_bare_windows_layer_is_known_as_one_for_windows() -> None:
    entries = [forge.file("Files/Windows/notepad.exe", b"MZ"), forge.file("Hives/Software_Delta", b"regf")]
    with open_archive(MemorySource(forge.encode(entries))) as archive:
        image = archive.images()[0]
        assert (image.config.os, image.os) == ("", "windows") and Subject(image).foreign
    with open_archive(MemorySource(forge.encode([forge.file("srv/.wh.old", b"")]))) as archive:
        assert not Subject(archive.images()[0]).foreign


@pytest.mark.parametrize(
    ("rule", "about"),
    [("LDCONF-NOT-CACHED", "libshop.so.1"), ("CRLF-SHEBANG", "/entrypoint.sh"), ("UNKNOWN-USER", "")],
)
def test_a_verdict_says_which_file_library_or_symbol_it_is_about(rule: str, about: str) -> None:
    with image_of(EXAMPLES[rule].bad()) as image:
        assert image.process(engine="docker@28").verdict.about == about


@pytest.mark.parametrize(
    ("layer", "settings", "severity", "words"),
    [
        (add(directory("srv", 0o700, 1000, 1000)), {"workdir": "/srv"}, "low", "enter WORKDIR /srv (mode 0700 of"),
        (add(directory("srv", 0o755, 1000, 1000)), {"workdir": "/srv"}, "info", "write WORKDIR /srv (mode 0755 of"),
        (add(directory("srv", 0o700, 0, 5)), {"workdir": "/srv", "user": None}, "low", "enter WORKDIR /srv"),
        (add(directory("srv", 0o755, 99, 99)), {"volumes": ["/srv"], "user": None}, "info", "write VOLUME /srv"),
        (
            add(file("app", programs.hello(), 0o750, 1000, 1000)),
            {"entrypoint": ["/app"]},
            "low",
            "execute /app (mode 0750 of 1000:1000)",
        ),
        (
            add(directory("opt", 0o750, 1000, 1000), file("opt/app", programs.hello(), 0o755)),
            {"entrypoint": ["/opt/app"]},
            "low",
            "execute /opt/app (below /opt, mode 0750 of 1000:1000)",
        ),
    ],
)
def test_an_arbitrary_uid_of_group_0(layer: LayerSpec, settings: dict[str, object], severity: str, words: str) -> None:
    """The kernel's permission rules for uid 1000650000, gid 0 against those for the image's own user."""
    spec = sound(layer, **settings)
    finding = found(spec, "ANY-UID-BLOCKED")[0]
    assert finding.severity == severity
    assert words in finding.message
    assert all(line.startswith("RUN chgrp -R 0 /") and " && chmod -R g=u /" in line for line in finding.dockerfile)
    assert len(finding.dockerfile) == 1


@pytest.mark.parametrize(
    ("layer", "settings"),
    [
        (add(directory("srv", 0o755)), {"workdir": "/srv"}),  # USER cannot write it either: WORKDIR-NOT-OWNED
        (add(directory("srv", 0o755)), {"workdir": "/srv", "user": None}),  # root's, and perhaps never written
        (add(directory("srv", 0o775, 1000, 0)), {"workdir": "/srv", "volumes": ["/srv"]}),
        (add(directory("srv", 0o777, 1000, 1000)), {"workdir": "/srv", "volumes": ["/srv"]}),
        (add(file("app", programs.hello(), 0o750, 1000, 0)), {"entrypoint": ["/app"]}),
    ],
)
def test_what_an_arbitrary_uid_may_do_as_well(layer: LayerSpec, settings: dict[str, object]) -> None:
    assert found(sound(layer, **settings), "ANY-UID-BLOCKED") == []


def test_texts_of_a_config_are_looked_at_one_by_one() -> None:
    n = 5_000
    labels = {f"l{k}": "a" * 80 for k in range(n)}
    check = find_rule("CONTROL-CHARACTERS").check
    with image_of(forge.image(forge.layer(), labels={**labels, "loud": "\x1b[2J"})) as image:
        subject = Subject(image)
        assert [*check(subject)]  # what is read of the image once is there
        tracemalloc.start()
        try:
            told = [*check(subject)]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert len(told) == 1 and "/config/Labels" in told[0].message
    assert peak < 60 * n, f"{peak // n} bytes for each label"
