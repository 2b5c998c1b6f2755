"""Images that attack the runtime that unpacks or starts them: harmless on a patched machine, and a reason to look."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.evidence import text
from imagepeel.findings.advisories import ADVISORIES
from imagepeel.findings.finding import Finding
from imagepeel.findings.names import Hit, upwards
from imagepeel.findings.rule import Rule, rule
from imagepeel.formats.tar.whiteouts import OPAQUE
from imagepeel.oci.json_document import escaped
from imagepeel.process.spec.process_spec import DEFAULT_PATH
from imagepeel.text import listed, size

if TYPE_CHECKING:
    import re

    from imagepeel.findings.subject import Subject
    from imagepeel.formats.tar.table import EntryTable

_FIX = "do not start it on a machine that you do not know to be patched, and ask its maker what this is for"
_ENGINE_LABEL = ("containerd.io/", "io.cri-containerd")
_OPEN_DIRECTORY = late(r"^/(?:proc/(?:self|thread-self|[0-9]+)(?:/task/[0-9]+)?/fd|dev/fd)(?:/|$)")
_OWN_PROGRAM = late(r"^/proc/(?:self|thread-self|[0-9]+)(?:/task/[0-9]+)?/exe$")
_MOST_PARTS, _MOST_LINKS = 256, 40
_LARGEST_ID = (1 << 31) - 1
_MARKS = 100
"""Times that one opaque mark stands in a layer before it is worth a word: builders write it once."""
_LARGE, _LONG = 10 << 20, 1 << 20
"""Bytes of a passwd or group file, and of one line of it, that nobody needs."""


def _harm(rule: Rule, what: str, deed: str) -> str:
    """The sentence for people: what stands there, who is safe, and what happens elsewhere."""
    unsafe = " or on ".join(ADVISORIES[number].unsafe for number in rule.advisories)
    return f"{what}: this does nothing on a patched node; on {unsafe} {deed}"


def _is(pattern: re.Pattern[str], path: str) -> bool:
    return path.startswith(("/proc/", "/dev/fd")) and pattern.search(path) is not None


def _followed(subject: Subject, path: str) -> str:
    """The path with the links of the image followed, also where it leads to what only a running system has."""
    ahead, done, links = path.split("/")[:_MOST_PARTS], list[str](), 0
    while ahead:
        part = ahead.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            del done[-1:]
            continue
        node = subject.node("/" + "/".join((*done, part)), follow=False)
        if node is None or node.kind != "symlink" or links == _MOST_LINKS:
            done.append(part)
            if _is(_OPEN_DIRECTORY, "/" + "/".join(done)):
                break  # what .. means from here on, only the runtime knows
            continue
        links += 1
        target = text(node.target)
        done = [] if target.startswith("/") else done
        ahead = [*target.split("/")[:_MOST_PARTS], *ahead]
    return "/" + "/".join((*done, *ahead))


@rule(
    "ATTACKS-ENGINE-LABEL",
    "A label is one that containerd takes for its own",
    "high",
    "headcount",
    "infosec",
    why="""containerd's CRI copies the labels of an image onto the container.  Labels under containerd.io/ and
    io.cri-containerd are orders to containerd itself, and before the fix an image could give them: up to a command of
    root on the host.""",
    fix=_FIX,
    advisories="CVE-2026-53488",
    decides="whether to trust the maker of the image, and on which machines it may start",
)
def engine_label(rule: Rule, subject: Subject) -> Iterator[Finding]:
    names = [name for name in subject.run.labels if name.startswith(_ENGINE_LABEL)]
    if names:
        yield rule.report(
            _harm(
                rule,
                f"the image has the label {listed(names, 4)}",
                "pulling it is enough: a label can be a command of root on the host",
            ),
            *[subject.pointer("/config/Labels/" + escaped(name).removeprefix("/")) for name in names[:8]],
        )


@rule(
    "ATTACKS-DEV-LINK",
    "/dev is a symbolic link",
    "high",
    "strengths",
    "infosec",
    why="""The runtime mounts a filesystem on /dev and makes devices and links in it.  Where /dev is a link of the
    image, runtimes before the fix followed it and wrote to another place.""",
    fix=_FIX,
    advisories="CVE-2026-41579, CVE-2026-47766",
    decides="whether to trust the maker of the image, and on which machines it may start",
)
def dev_link(rule: Rule, subject: Subject) -> Iterator[Finding]:
    node = subject.node("/dev", follow=False)
    if node is not None and node.kind == "symlink":
        what = f"/dev is a symbolic link to {text(node.target)}"
        yield rule.report(_harm(rule, what, "the runtime makes devices where the link leads"), subject.place(node))


@rule(
    "ATTACKS-OPEN-DIRECTORY",
    "The working directory is an open file of the runtime",
    "high",
    "strengths",
    "infosec",
    why="""/proc/self/fd/N names whatever the runtime has open as number N when it enters the directory.  runc before
    the fix had a directory of the host open there, and the process started in the host's filesystem.""",
    fix=_FIX,
    advisories="CVE-2024-21626",
    decides="whether to trust the maker of the image, and on which machines it may start",
)
def open_directory(rule: Rule, subject: Subject) -> Iterator[Finding]:
    given = subject.run.working_dir
    leads = _followed(subject, given)
    if _is(_OPEN_DIRECTORY, leads):
        what = f"WORKDIR is {given}" + (f", which leads to {leads}" if leads != given else "")
        yield rule.report(
            _harm(rule, what, "the process may start in a directory of the host"), subject.pointer("/config/WorkingDir")
        )


@rule(
    "ATTACKS-USER-NUMBER",
    "USER is a number too large for an id, and the name of somebody",
    "high",
    "headcount",
    "infosec",
    why="""A number beyond 2147483647 is no user id.  containerd before the fix then looked it up as a name, and the
    passwd file of the image says who has that name: also root, although the number passes every check for "not
    root".""",
    fix="write a user id below 2147483648",
    advisories="CVE-2026-46680",
)
def user_number(rule: Rule, subject: Subject) -> Iterator[Finding]:
    user = subject.run.user.partition(":")[0]
    digits = user.lstrip("0")
    if not (user.isascii() and user.isdigit() and (len(digits) > 10 or int(digits or "0") > _LARGEST_ID)):
        return
    for line in text(subject.read("/etc/passwd")).splitlines():
        fields = line.split(":")
        if fields[0] == user and len(fields) > 2:
            yield rule.report(
                _harm(
                    rule, f"USER is {user}, and passwd gives that name the id {fields[2]}", f"it runs as {fields[2]}"
                ),
                subject.pointer("/config/User"),
                subject.place(b"/etc/passwd"),
            )
            return


@rule(
    "ATTACKS-PASSWD-SIZE",
    "/etc/passwd or /etc/group is made to be read without end",
    "medium",
    "headcount",
    "infosec",
    why="""The engine reads both files of the image to find the user.  Before the fix it read all of it into memory,
    whatever its size: an image could take the memory of the daemon.""",
    fix="write a passwd and a group file of some kilobytes",
    advisories="CVE-2026-47262",
    threshold="10 MiB, or one line of 1 MiB",
)
def passwd_size(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for path in (b"/etc/passwd", b"/etc/group"):
        node = subject.node(path)
        if node is None or not node.is_file or node.size <= _LONG:
            continue
        large = node.size > _LARGE
        if large or max(map(len, subject.read(path, _LARGE).split(b"\n"))) > _LONG:
            how = "" if large else " with a line of more than 1 MiB"
            what = f"{text(path)} has {size(node.size)}{how}"
            yield rule.report(_harm(rule, what, "the engine reads it into memory"), subject.place(node))


@rule(
    "ATTACKS-OWN-PROGRAM",
    "The command is a link to the program that starts it",
    "high",
    "strengths",
    "infosec",
    why="""/proc/self/exe names the running program: while the container starts, that is the runtime of the host.
    Before the fix the process could hold it open and overwrite it.""",
    fix=_FIX,
    advisories="CVE-2019-5736",
    decides="whether to trust the maker of the image, and on which machines it may start",
)
def own_program(rule: Rule, subject: Subject) -> Iterator[Finding]:
    word = subject.argv[0] if subject.argv else ""
    places = [word] if "/" in word else [f"{entry}/{word}" for entry in _search_path(subject)] if word else []
    for place in places:
        path = place if place.startswith("/") else f"{subject.run.working_dir}/{place}"
        leads = _followed(subject, path)
        first = subject.read(leads, 128).partition(b"\n")[0]
        words = first[2:].split() if first.startswith(b"#!") else []
        interpreter = text(words[0]) if words else ""
        if _is(_OWN_PROGRAM, leads) or (interpreter and _is(_OWN_PROGRAM, _followed(subject, interpreter))):
            what = (
                f"the command {word} is {leads}" if not interpreter else f"the interpreter of {word} is {interpreter}"
            )
            yield rule.report(_harm(rule, what, "it can overwrite the runtime of the host"), subject.command_place())
            return


def _search_path(subject: Subject) -> list[str]:
    found = [entry.partition("=")[2] for entry in subject.config.env if entry.startswith("PATH=")]
    return [entry for entry in (found[-1] if found else DEFAULT_PATH).split(":")[:64] if entry.startswith("/")]


@rule(
    "ATTACKS-VOLUME-PATH",
    "A VOLUME climbs out of the image",
    "high",
    "headcount",
    "infosec",
    why="""containerd copies what the image has at the path of a VOLUME into the volume.  Before the fix it joined the
    path as it is written, and `..` in it copied files of the host.""",
    fix="write the path without its .. parts",
    advisories="CVE-2022-23648",
)
def volume_path(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for volume in subject.run.volumes[:1000]:
        if ".." in volume.split("/"):
            yield rule.report(
                _harm(rule, f"the volume {volume} has .. in its path", "Kubernetes copies files of the host into it"),
                subject.pointer("/config/Volumes/" + escaped(volume).removeprefix("/")),
            )


@rule(
    "ATTACKS-OPAQUE-MARKS",
    "A layer has one opaque mark again and again",
    "medium",
    "strengths",
    "infosec",
    why="""An opaque mark hides what lower layers have in a directory, and once is enough.  containerd before the fix
    walked through the directory at each of them: a small layer could keep a node busy for hours while it is unpacked.
    """,
    fix="write each opaque mark once",
    advisories="CVE-2026-95838",
    threshold="100 times the same mark in one layer",
)
def opaque_marks(rule: Rule, subject: Subject) -> Iterator[Finding]:
    first: dict[tuple[int, bytes], Hit] = {}
    counts: Counter[tuple[int, bytes]] = Counter()
    for hit in subject.names.whiteouts():
        if hit.path.endswith(b"/" + OPAQUE):
            counts[hit.layer, hit.path] += 1
            first.setdefault((hit.layer, hit.path), hit)
    for key, count in sorted(counts.items()):
        if count >= _MARKS:
            what = f"layer {subject.layers[key[0]].label} has the opaque mark {text(key[1])} {count:,} times"
            yield rule.report(_harm(rule, what, "unpacking takes time without end"), subject.place(first[key]))


@rule(
    "ATTACKS-THROUGH-LINK",
    "A layer writes through a link that leads out of the root",
    "medium",
    "strengths",
    "infosec",
    why="""An entry stands below a symbolic link of the same layer, and the target of the link is absolute or climbs
    over the root.  Who unpacks it has to keep the link inside the root at each step; go-archive before the fix did not,
    and files were written where the link leads on the host.""",
    fix="write the entry at its real path, and do not copy out of the container with an old docker cp",
    advisories="CVE-2026-17106",
)
def through_link(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        below = _below_escaping_link(layer.table)
        if below is None:
            continue
        link, entry = below
        what = (
            f"layer {layer.label} has {text(layer.table[entry].path)} below its own link "
            f"{text(layer.table[link].path)} to {text(layer.table.links[link])}"
        )
        yield rule.report(
            _harm(rule, what, "a file may be written where the link leads on the host"),
            subject.at(layer.index, entry),
            subject.at(layer.index, link),
        )


def _below_escaping_link(table: EntryTable) -> tuple[int, int] | None:
    """The first link out of the root with a later entry below it: both as entries."""
    links = {
        table.path(index): index
        for index, target in table.links.items()
        if table[index].kind == "symlink" and _escapes(table.path(index), target)
    }
    if not links:
        return None
    directories = sorted(set(table.dirs))
    below: dict[bytes, int] = {}
    for path, index in links.items():
        at = bisect_left(directories, path)
        # Between a directory and what is below it there may be names such as `a-b`, which sort before `a/`.
        for directory in (directories[at : at + 1], directories[bisect_left(directories, path + b"/") :][:1]):
            if directory and (directory[0] == path or directory[0].startswith(path + b"/")):
                below[path] = index
    if not below:
        return None
    for entry, number in enumerate(table.dir_ids):
        for path in upwards(table.dirs[number]):
            if path in below and below[path] < entry:
                return below[path], entry
    return None


def _escapes(path: bytes, target: bytes) -> bool:
    """Whether the target of a link is absolute, or climbs over the root."""
    if target.startswith(b"/"):
        return True
    depth = path.count(b"/")
    for part in target.split(b"/")[:_MOST_PARTS]:
        depth += -1 if part == b".." else part not in (b"", b".")
        if depth < 0:
            return True
    return False


@rule(
    "ATTACKS-TWO-SHAPES",
    "A document is an index and a manifest at once",
    "high",
    "headcount",
    "infosec",
    why="""A document with the fields of both is read as an index by one program and as a manifest by another, under one
    digest: what was scanned or signed is not what starts.  Engines refuse such a document since the fix.""",
    fix=_FIX,
    advisories="CVE-2021-41190",
    sources="image-spec GHSA-77vh-xpmg-72qh, distribution-spec GHSA-mc8v-mgrf-8f4m",
    decides="whether to trust the maker of the image, and on which machines it may start",
)
def two_shapes(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for note in subject.image.archive.anomalies:
        if note.code == "manifest-shape":
            what = "a document of the image has the fields of an index and of a manifest"
            yield rule.report(_harm(rule, what, "two machines may start two images of one digest"), note.where)


RULES: tuple[Rule, ...] = (
    engine_label,
    dev_link,
    open_directory,
    user_number,
    passwd_size,
    own_program,
    volume_path,
    opaque_marks,
    through_link,
    two_shapes,
)
