"""Names of tar entries: twice in a layer, outside the root, colliding without case, or made to fool a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.findings.finding import Finding
from imagepeel.findings.rule import Rule, by_notes, rule
from imagepeel.findings.rules.entries.rules import of_all_layers, paths_of
from imagepeel.findings.semantics.codes import Degree
from imagepeel.findings.semantics.entries import CONTROL_TEXT
from imagepeel.text import few, listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.semantics.codes import Noted
    from imagepeel.findings.subject import Subject


@rule(
    "DUPLICATE-ENTRY",
    "A path is twice in one layer",
    "high",
    "strengths",
    "deployments",
    why="""The specification forbids it, and stores that keep tar-split data refuse to load the image: Docker's own
    store, podman, CRI-O and buildah say `duplicates of file paths not supported`.  containerd takes it and lets the
    last entry win, some tools the first: what a scanner looked at may not be what runs.""",
    fix="pack each path once: tar -c instead of tar -r, and a builder that drops repeated entries",
    codes="F62",
    of="DUP",
    lesser={Degree.SPELLED_APART: "low"},
    sources="image-spec layer.md, vbatts/tar-split tar/storage/packer.go, rules_docker#246, buildkit#266",
)
def duplicate_entry(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for noted in subject.surprises.of("DUP"):
        label = subject.label(noted.notes[0])
        refused = not noted.degree
        who = "Docker's own store, podman and CRI-O refuse to load it"
        # What containerd refuses, here or in another layer, has no last entry.
        who += "" if subject.rootfs.refusal is not None else ", in containerd the last entry wins"
        yield rule.noted(
            subject,
            noted,
            f"layer {label} has {_how_often(noted)}: {paths_of(noted)}; {who if refused else 'the last entry wins'}",
            profiles=("docker@28", "docker@20.10", "podman@5.8") if refused else (),
        )


def _how_often(noted: Noted) -> str:
    """Say how many paths come again, and how often where it is one."""
    paths = {note.where.path for note in noted.notes}
    if len(paths) == 1 and noted.count == len(noted.notes):
        return f"one path {'twice' if noted.count == 1 else f'{few(noted.count + 1)} times'}"
    again = "more than once" if len(paths) < len(noted.notes) else "twice"
    return f"{plural(noted.count - len(noted.notes) + len(paths), 'path')} {again}"


OUTSIDE_NAME = rule(
    "OUTSIDE-NAME",
    "An entry name climbs out of the root",
    "medium",
    "headcount",
    "infosec",
    why="""`../x` should never be in a layer.  Runtimes clamp it to /x or refuse it; careless tools write outside the
    target directory, which has been a security hole every year.""",
    fix="do not unpack this image with anything but a container engine",
    of="DOTDOT",
    sources="GoogleContainerTools/kaniko",
    advisories="CVE-2021-29136, CVE-2026-28406",
    decides="whether to trust the maker of the layer",
)(by_notes())


@rule(
    "CASE-COLLISION",
    "Two names differ only in case",
    "info",
    "strengths",
    "internal adoption",
    why="""Linux keeps both.  On macOS and Windows disks one replaces the other when the image is unpacked or a
    directory is mounted.""",
    fix="rename one of them",
    of="CASE",
    sources="APFS, NTFS case sensitivity",
)
def case_collision(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for noted in of_all_layers(subject.surprises.of("CASE")):
        names = plural(noted.count, "name differs", "names differ")
        yield rule.noted(subject, noted, f"{names} from another only in case: {paths_of(noted)}")


@rule(
    "CONTROL-CHARACTERS",
    "A name or a text tries to write on the terminal",
    "low",
    "headcount",
    "infosec",
    why="""File names may hold every byte but slash and zero.  Escape sequences colour, move or erase what a terminal
    shows, and direction marks make a name read backwards: what people see is not what is there.""",
    fix="rename the file, and look at it only with tools that escape names",
    of="CTRLCHAR",
    sources="UAX 9, CVE-2021-42574",
)
def control_characters(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for noted in subject.surprises.of("CTRLCHAR"):
        what = "link target" if noted.degree == Degree.IN_TARGET else "file name"
        shown = [repr(note.where.path) for note in noted.notes[:3]]
        left = [f"{noted.count - len(shown):,} more"] if noted.count > len(shown) else []
        of = "of " if noted.degree == Degree.IN_TARGET else ""
        message = f"{plural(noted.count, what)} with control characters: {of}{listed([*shown, *left])}"
        yield rule.noted(subject, noted, message)
    loud = [pointer for pointer, value in _texts(subject) if _is_loud(value)]
    if loud:
        yield rule.report(
            f"the config has control characters at {listed(list(dict.fromkeys(loud)), 3)}",
            *[subject.pointer(pointer) for pointer in dict.fromkeys(loud[:10])],
        )


def _texts(subject: Subject) -> Iterator[tuple[str, str]]:
    """The texts of the config, with pointers to them."""
    yield from ((f"/config/Env/{index}", entry) for index, entry in enumerate(subject.config.env))
    yield from (("/config/Entrypoint", word) for word in subject.run.entrypoint or ())
    yield from (("/config/Labels", key + value) for key, value in subject.config.labels.items())
    yield from ((f"/history/{index}/created_by", step.created_by) for index, step in enumerate(subject.image.history))


def _is_loud(value: str) -> bool:
    plain = value.replace("\t", "").replace("\n", "")
    return not plain.isprintable() and CONTROL_TEXT.search(plain) is not None


RULES: tuple[Rule, ...] = (duplicate_entry, OUTSIDE_NAME, case_collision, control_characters)
