"""State: data that is in layers and should not be, or that is lost with the container."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.evidence import layer_label, raw, text
from imagepeel.findings.finding import Finding, columns, figure
from imagepeel.findings.names import DATABASES, SERVERS, Hit, upwards
from imagepeel.findings.rule import Rule, rule
from imagepeel.findings.semantics.entries import members
from imagepeel.formats.tar.header import DIRECTORY, REGULAR
from imagepeel.history.builders import go_list
from imagepeel.process.engines.registry import CONTAINERD, DOCKER, PODMAN
from imagepeel.text import exact, listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

_RUN_DIRS = (b"/run/", b"/var/run/", b"/tmp/", b"/var/lock/", b"/var/tmp/")
_NOT_DATA = (b"/usr/share/", b"/usr/lib/", b"/proc")
_BOUND = (b"/etc/hosts", b"/etc/hostname", b"/etc/resolv.conf")


@rule(
    "VOLUME-CONTENT",
    "Files were added below a VOLUME after it was declared",
    "low",
    "weaknesses",
    "tooling",
    why="""The classic builder threw writes below a VOLUME away, BuildKit keeps them; a mount at run time hides them
    either way.  Images built FROM this one cannot undo the VOLUME.""",
    fix="declare VOLUME last, or not at all: -v works without it",
    codes="W40",
    sources="moby#41209, moby#3465",
)
def volume_content(rule: Rule, subject: Subject) -> Iterator[Finding]:
    declared = _declared(subject)
    if not declared:
        return
    found: dict[tuple[str, int], tuple[int, Hit]] = {}
    for layer in subject.layers:
        inside: dict[int, list[str]] = {}
        for number, directory in enumerate(layer.table.dirs):
            above = [declared[path] for path in upwards(directory) if path in declared]
            volumes = [path for path, step in above if layer.step is not None and layer.step > step]
            if volumes:
                inside[number] = volumes
        for i, number in enumerate(layer.table.dir_ids if inside else ()):
            if number not in inside or layer.table.meta(i).type == DIRECTORY:
                continue
            for path in inside[number]:
                more, hit = found.get((path, layer.index)) or (0, Hit(layer.index, i, b"/" + layer.table.path(i)))
                found[path, layer.index] = more + 1, hit
    for (path, index), (number, hit) in sorted(found.items()):
        step = declared[_inner(path)][1]
        yield rule.report(
            f"layer {subject.layers[index].label} puts {plural(number, 'file')} below VOLUME {path}, "
            "declared before it",
            subject.place(hit),
            subject.pointer(f"/history/{step}/created_by", step),
        )


def _declared(subject: Subject) -> dict[bytes, tuple[str, int]]:
    """Volumes by their path without slashes around it: the path as written, and the first step that names it."""
    steps: dict[str, int] = {}
    for index, step in enumerate(subject.instructions):
        if step.keyword == "VOLUME":
            for path in go_list(step.text) or step.text.split():
                steps.setdefault(path, index)
    volumes = [path for path in subject.run.volumes if path in steps and path.startswith("/") and path.strip("/")]
    return {_inner(path): (path, steps[path]) for path in volumes}


def _inner(path: str) -> bytes:
    return path.strip("/").encode("utf-8", "surrogateescape")


@rule(
    "ANONYMOUS-VOLUME",
    "Every run makes a new volume without a name",
    "low",
    "weaknesses",
    "operations",
    why="""Docker and podman create a volume for each VOLUME path that nobody mounts.  The data survives the container,
    under 64 random letters; containerd ignores VOLUME, so there it is lost with the container.""",
    fix="mount a named volume: docker run -v data:PATH",
    codes="W41",
    sources="docker-library/mysql#255, docker-library/postgres#445, mastodon#1080",
    decides="where the data lives, and who names the volume",
)
def anonymous_volume(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.run.volumes:
        yield rule.report(
            f"each run without -v makes {plural(len(subject.run.volumes), 'anonymous volume')}: "
            f"{listed(list(subject.run.volumes))}",
            subject.pointer("/config/Volumes"),
            profiles=(DOCKER, PODMAN),
        )


@rule(
    "BAKED-DATABASE",
    "A database's files are in a layer",
    "medium",
    "weaknesses",
    "operations",
    why="""The data directory of a database server was initialised while building.  Every replica starts with the same
    data and the same identity, writes copy whole files up, and all of it is lost with the container.""",
    fix="initialise at the first start, on a volume",
    codes="W42",
    sources="docker-library/postgres#445, docker-library/postgres#569, ehrbase#455",
)
def baked_database(rule: Rule, subject: Subject) -> Iterator[Finding]:
    found: dict[tuple[bytes, str], Hit] = {}
    for hit in subject.shown(subject.names.named(*DATABASES)):
        directory, _, name = hit.path.rpartition(b"/")
        if subject.layers[hit.layer].table.size(hit.entry) and not directory.startswith(_NOT_DATA):
            # With the slash, all that lies below a directory follows it at once when sorted.
            found.setdefault((directory + b"/", DATABASES[name]), hit)
    outer = b"\0"
    for (below, server), hit in sorted(found.items()):
        if below.startswith(outer) and below != outer:
            continue
        outer = below
        directory = below.rstrip(b"/") or b"/"
        parts = _sizes(subject, directory)
        total = sum(value for _, value in parts)
        yield rule.report(
            f"{text(directory)} is a data directory of {server} with {exact(total)}",
            subject.place(hit),
            *([subject.place(raw(max(parts, key=lambda part: part[1])[0]))] if parts else []),
            figures=[figure(f"files below {text(directory)}", "bytes", *columns(parts))],
        )


def _sizes(subject: Subject, directory: bytes) -> list[tuple[str, int]]:
    out = []
    for path, node in subject.rootfs.walk(directory):
        if node.is_file:
            out.append((text(path), node.size))
        if len(out) >= 100_000:
            break
    return out


@rule(
    "DATABASE-WITHOUT-VOLUME",
    "A database server writes into the container's disposable layer",
    "low",
    "weaknesses",
    "operations",
    why="""The process is a database server and no VOLUME is declared.  Without -v all writes land in the layer that
    goes away with the container, at the speed of a copy-on-write filesystem.""",
    fix="mount a volume on its data directory, and say so in the documentation",
    codes="W43",
    sources="ehrbase#455, gocd#45",
    decides="where the data lives, and who names the volume",
)
def database_without_volume(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.run.volumes or not subject.starts:
        return
    start = subject.prediction()
    words = [*subject.argv, *(start.pid1.argv if start.pid1 is not None else ())]
    words += (subject.shell_line or "").split()
    for word in words:
        server = SERVERS.get(word.rsplit("/", 1)[-1].encode("utf-8", "surrogateescape"))
        if server is not None:
            yield rule.report(
                f"the command starts {server} ({word}) and the image declares no volume", subject.command_place()
            )
            return


@rule(
    "STALE-LOCK",
    "A pid or lock file of a process that is long gone",
    "low",
    "weaknesses",
    "operations",
    why="""A service ran while building and left its pid file.  At the next start it says "already running", about a
    process of the build machine.""",
    fix="remove it in the same RUN, and stop the service cleanly",
    codes="W44",
    sources="docker-library/php#53, wger#414",
)
def stale_lock(rule: Rule, subject: Subject) -> Iterator[Finding]:
    hits = []
    for hit in subject.names.ending(b".pid", b"lock"):
        name = hit.path.rpartition(b"/")[2]
        if not hit.path.startswith(_RUN_DIRS) or subject.layers[hit.layer].table.meta(hit.entry).type != REGULAR:
            continue
        locks = name.endswith((b".pid", b".lock")) or (name.startswith(b".X") and name.endswith(b"-lock"))
        if locks and not hit.path.startswith((b"/var/lock/dpkg", b"/run/lock/dpkg")):
            hits.append(hit)
    shown = subject.shown(hits)
    if shown:
        yield rule.report(
            f"{listed([text(hit.path) for hit in shown], 4)} {'belongs' if len(shown) == 1 else 'belong'} to a process "
            "of the build",
            *[subject.place(hit) for hit in shown[:10]],
        )


@rule(
    "BOUND-OVER",
    "A file is covered by the runtime's own",
    "info",
    "friends",
    "networking",
    why="""Engines mount their own /etc/hosts, /etc/hostname and /etc/resolv.conf into every container.  What a build
    step writes there is never seen.""",
    fix="--add-host, --dns and --hostname at run time; extra_hosts in a compose file",
    codes="W45",
    sources="openshift/origin#11046",
    decides="which hosts, DNS servers and names the container gets at run time",
)
def bound_over(rule: Rule, subject: Subject) -> Iterator[Finding]:
    hits = [
        hit
        for hit in subject.names.named(b"hosts", b"hostname", b"resolv.conf")
        if hit.path in _BOUND and hit.layer > 0 and subject.layers[hit.layer].table.size(hit.entry) > 0
    ]
    shown = subject.shown(hits)
    if shown:
        yield rule.report(
            f"{listed([text(hit.path) for hit in shown])} written by layer {layer_label(shown[0].layer)} "
            f"{'is' if len(shown) == 1 else 'are'} never seen in a container",
            *[subject.place(hit) for hit in shown],
        )


@rule(
    "MOUNTED-OVER",
    "Files lie where the runtime mounts something",
    "low",
    "friends",
    "kernel",
    why="""/proc, /sys and /dev are mounted before the process exists, and plain containerd also puts a tmpfs on /run:
    files of the image below them are shipped and never seen.""",
    fix="keep them elsewhere, and create what belongs into /run at the start",
    codes="W46",
    sources="runtime-spec config-linux.md Default Filesystems",
)
def mounted_over(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.foreign:
        return
    found: dict[bytes, list[tuple[Hit, int]]] = {}
    for layer in subject.layers:
        table = layer.table
        inside = {
            number: top
            for number, directory in enumerate(table.dirs)
            if (top := directory.partition(b"/")[0]) in (b"proc", b"sys", b"dev", b"run")
        }
        if not inside:
            continue
        for index in members(table.dir_ids, [number in inside for number in range(len(table.dirs))]):
            here = inside[table.dir_id(index)]
            if table.meta(index).type != REGULAR or not table.size(index):
                continue
            hit = Hit(layer.index, index, b"/" + table.path(index))
            if len(found.setdefault(here, [])) < 1000 and subject.visible(hit):
                found[here].append((hit, table[index].stored_size))
    for top, hits in sorted(found.items()):
        if not hits:
            continue
        hits.sort(key=lambda each: (-each[1], each[0].path))
        parts = [(text(hit.path), number) for hit, number in hits]
        where = "plain containerd puts a tmpfs there" if top == b"run" else "every runtime mounts its own there"
        total = sum(value for _, value in parts)
        yield rule.report(
            f"{plural(len(hits), 'file')} below /{text(top)} with {exact(total)} cannot be seen: {where}",
            *[subject.place(hit) for hit, _ in hits[:5]],
            severity="info" if top == b"run" else "low",
            profiles=(CONTAINERD,) if top == b"run" else (),
            figures=[figure(f"below /{text(top)}", "bytes", *columns(parts))],
        )


RULES: tuple[Rule, ...] = (
    volume_content,
    anonymous_volume,
    baked_database,
    database_without_volume,
    stale_lock,
    bound_over,
    mounted_over,
)
