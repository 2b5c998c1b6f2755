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
from imagepeel.process.spec.failure import FailureCode
from imagepeel.process.wrappers.writes import WRITES
from imagepeel.text import listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.formats.tar.table import Meta

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
    wrapped = subject.prediction().wrapped
    names = {(words[0] if words else "").rsplit("/", 1)[-1] for words in (one.argv, *wrapped)}
    actor = Actor(uid=one.uid, gid=one.gid, groups=frozenset(one.groups))
    for name in sorted(names & WRITES.keys()):
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
