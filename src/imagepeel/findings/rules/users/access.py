"""What the user of the image may read and write: its own files, its volumes, the places that known servers write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.evidence import raw, text
from imagepeel.findings.dockerfile_lines import is_plain, run
from imagepeel.findings.finding import Finding
from imagepeel.findings.names import Hit
from imagepeel.findings.rule import Rule, rule
from imagepeel.formats.tar.header import DIRECTORY, REGULAR
from imagepeel.process.spec.access import EXECUTE, READ, WRITE, Actor, check_access, permits
from imagepeel.process.spec.failure import FailureCode, Stage
from imagepeel.process.wrappers.writes import WRITES
from imagepeel.text import listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.formats.tar.metas import Meta

_PRIVATE = late(
    rb"^/(?:root|etc/(?:g?shadow-?|sudoers.*|security/opasswd|ssl/private|ssh/.*|\.pwd\.lock|audit.*|cron.*|crypttab|ppp.*)|"
    rb"var/(?:cache|log|spool|lib|backups|empty)|lost\+found|boot|proc|sys|dev|run|tmp|usr/(?:bin|s?bin|lib|libexec|share))(?:/|$)"
)
"""What is closed on purpose in every distribution."""


def _actor(subject: Subject) -> Actor:
    return Actor.of(subject.credentials, ())


def _asked(subject: Subject) -> bool:
    """Whether there is a user to ask about who is not root."""
    return bool(subject.starts) and subject.uid != 0 and not subject.failed(FailureCode.USER_UNKNOWN)


def _mode(node: object) -> str:
    return f"mode {node.mode:04o} of {node.uid}:{node.gid}"  # type: ignore[attr-defined]


@rule(
    "USER-CANNOT-READ",
    "The user cannot read files that the image brings for it",
    "low",
    "strengths",
    "operations",
    why="""COPY and ADD keep the mode and give the file to root, whatever USER says.  A file of mode 0600 or a directory
    of mode 0700 on the machine that builds is then closed to the process: permission denied when it is first used.""",
    fix="COPY --chown=USER, or chmod a+rX what the program reads",
    sources="cluster-api-provider-nested#201, Dockerfile reference COPY --chown",
)
def user_cannot_read(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not _asked(subject):
        return
    actor = _actor(subject)

    def closed(meta: Meta) -> bool:
        if meta.uid == actor.uid or meta.type not in (REGULAR, DIRECTORY):
            return False
        wanted = 0o5 if meta.type == DIRECTORY else 0o4
        return (meta.mode | (meta.mode >> 3 if meta.gid in {actor.gid, *actor.groups} else 0)) & wanted != wanted

    told = {raw(step.path) for step in subject.prediction().steps if step.path}  # the program has rules of its own
    own = [
        hit
        for hit in subject.entries_where(closed, 2000)
        if not _PRIVATE.search(hit.path) and hit.path != b"/" and hit.path not in told
    ]
    hits = [hit for hit in subject.shown(own) if _refused(subject, hit, actor) and hit.path not in subject.secrets][
        :500
    ]
    tops = [hit for hit in hits if not any(hit.path.startswith(other.path + b"/") for other in hits)]
    if tops:
        paths = [text(hit.path) for hit in tops]
        who = subject.credentials
        yield rule.report(
            f"uid {who.uid} cannot read {plural(len(tops), 'path')} of the image: "
            f"{listed([f'{text(hit.path)} ({_mode(subject.node(hit.path))})' for hit in tops[:3]])}"
            + (f" and {len(tops) - 3} more" if len(tops) > 3 else ""),
            *[subject.place(hit) for hit in tops[:10]],
            dockerfile=run("chown", "-R", f"{who.uid}:{who.gid}", *paths) if len(paths) <= 20 else (),
        )


def _refused(subject: Subject, hit: Hit, actor: Actor) -> bool:
    node = subject.node(hit.path)
    return node is not None and not permits(node, actor, READ | EXECUTE if node.is_dir else READ)


@rule(
    "VOLUME-NOT-OWNED",
    "The user cannot write a volume that the image declares",
    "low",
    "strengths",
    "operations",
    why="""A new volume starts with the owner and the mode that the image has at its place, and with root's where the
    image has nothing there.  A process that is not root cannot write it; one that exists may belong to anybody.""",
    fix="create the directory and chown it to the user before VOLUME, or set fsGroup in the pod",
    sources="moby#2259, moby#5419, kubernetes.io fsGroup",
)
def volume_not_owned(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not _asked(subject):
        return
    who, actor = subject.credentials, _actor(subject)
    for path in sorted(subject.run.volumes)[:50]:
        node = subject.node(path)
        if node is not None and (not node.is_dir or permits(node, actor, WRITE | EXECUTE)):
            continue
        said = "is not in the image, so that it belongs to root" if node is None else f"has {_mode(node)}"
        yield rule.report(
            f"uid {who.uid} cannot write VOLUME {path}: it {said}",
            *([subject.place(path)] if node is not None else []),
            subject.pointer("/config/Volumes"),
            dockerfile=(f"RUN mkdir -p {path} && chown {who.uid}:{who.gid} {path}",) if is_plain(path) else (),
        )


def _servers(subject: Subject) -> list[str]:
    """The known servers among the programs of the default start."""
    one = subject.prediction().pid1
    argvs = () if one is None else (one.argv, *subject.prediction().wrapped)
    return sorted({(words[0] if words else "").rsplit("/", 1)[-1] for words in argvs} & WRITES.keys())


@rule(
    "SERVER-CANNOT-WRITE",
    "A known server cannot write where it keeps its data",
    "medium",
    "strengths",
    "operations",
    why="""Servers write pid files, sockets, temporary files and data at places that their packages fix.  Started as
    another user than root, they end with permission denied there, after the container counts as started.""",
    fix="chown these directories to the user, mount a writable volume or tmpfs there, or configure other places",
    sources="nginx core module pid and http_*_temp_path, postgres unix_socket_directories, docker-library",
)
def server_cannot_write(rule: Rule, subject: Subject) -> Iterator[Finding]:
    one = subject.prediction().pid1
    if not _asked(subject) or one is None or one.uid == 0:
        return
    actor = Actor(uid=one.uid, gid=one.gid, groups=frozenset(one.groups))
    for name in _servers(subject):
        closed = []
        for path in WRITES[name]:
            seen = check_access(subject.rootfs, path, actor)
            if seen.node is None and seen.errno != "EACCES":
                continue
            if seen.node is None or (seen.node.is_dir and not permits(seen.node, actor, WRITE | EXECUTE)):
                closed.append((path, seen.node))
        if closed:
            shown = [f"{path} ({_mode(node)})" if node is not None else path for path, node in closed]
            paths = [path for path, _ in closed]
            yield rule.report(
                f"{name} runs as uid {one.uid}, which cannot write {listed(shown)}",
                *[subject.place(path) for path in paths],
                subject.command_place(),
                dockerfile=run("chown", f"{one.uid}:{one.gid}", *paths),
            )


_ANY_UID = Actor(uid=1_000_650_000, gid=0)
"""A uid as OpenShift gives one to a project: no file is its own, and its group is 0."""

_ASKS = {"enter": EXECUTE, "execute": EXECUTE, "read": READ, "write": WRITE | EXECUTE}


@rule(
    "ANY-UID-BLOCKED",
    "An arbitrary uid of group 0 cannot use what the image's user can",
    "low",
    "strengths",
    "deployments",
    why="""OpenShift's restricted rules ignore USER: each project has uids of its own, and their only group is 0.  What
    belongs to a user of the image and another group is then closed, also to images that are made for no root.""",
    fix="give these paths to group 0 with the rights of the owner: chgrp -R 0 PATH && chmod -R g=u PATH",
    lesser={"it can start, and cannot write": "info"},
    sources="OpenShift guidelines for images: support arbitrary user ids, OpenShift SCC restricted-v2",
)
def any_uid_blocked(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or subject.failed(FailureCode.USER_UNKNOWN):
        return
    who = subject.credentials
    own = Actor.of(who, who.effective if who.uid == 0 else ())
    blocked: dict[str, tuple[str, bool]] = {}  # by path that is to be changed: the words, and whether it stops a start
    for path, verb, name in _used(subject):
        asked = _ASKS[verb]
        seen = check_access(subject.rootfs, path, _ANY_UID)
        if not _may(subject, path, own, asked) or (seen.node is not None and permits(seen.node, _ANY_UID, asked)):
            continue
        place = text(seen.blocker) if seen.blocker else path
        node = subject.node(place)
        if node is not None:
            said = f"{verb} {name}{path}"
            words = f"{said} ({_mode(node)})" if place == path else f"{said} (below {place}, {_mode(node)})"
            blocked.setdefault(place, (words, verb != "write"))
    if blocked:
        tops = [path for path in blocked if not any(path.startswith(other.rstrip("/") + "/") for other in blocked)]
        yield rule.report(
            f"an arbitrary uid of group 0 cannot {listed([words for words, _ in blocked.values()])}",
            *[subject.place(path) for path in blocked],
            severity="low" if any(stops for _, stops in blocked.values()) else "info",
            dockerfile=[
                f"RUN chgrp -R 0 {path} && chmod -R g=u {path}" for path in tops if path != "/" and is_plain(path)
            ],
        )


def _may(subject: Subject, path: str, actor: Actor, asked: int) -> bool:
    node = check_access(subject.rootfs, path, actor).node
    return node is not None and permits(node, actor, asked)


def _used(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """What the default start touches: path, what is done with it, and what names it.

    Root writes everywhere; whether a program of root writes its directory or its home, nobody can tell.
    """
    for step in subject.prediction().steps:
        if step.path and step.rule in (Stage.EXECVE, Stage.PROGRAM):
            node = subject.node(step.path)
            if node is not None and node.is_file:
                yield step.path, "execute" if step.rule == Stage.EXECVE else "read", ""
    home = next((entry[5:] for entry in reversed(subject.run.env or ()) if entry.startswith("HOME=")), "")
    asked = [(subject.run.working_dir, "WORKDIR "), (home, "HOME ")]
    for path, name in asked:
        node = subject.node(path) if path.startswith("/") and path != "/" else None
        if node is not None and node.is_dir:
            yield path, "enter", name
            if subject.uid:
                yield path, "write", name
    written = [(path, "VOLUME ") for path in sorted(subject.run.volumes)[:50]]
    written += [(path, f"{name}'s ") for name in _servers(subject) for path in WRITES[name]]
    for path, name in written:
        node = subject.node(path) if path.startswith("/") else None
        if node is not None and node.is_dir:
            yield path, "write", name
