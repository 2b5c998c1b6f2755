"""Who the process is, and which files that user meets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.evidence import text
from imagepeel.findings.dockerfile_lines import Lines, is_plain, plain_command, run, setting
from imagepeel.findings.finding import Finding
from imagepeel.findings.rule import Rule, rule
from imagepeel.findings.rules.users.access import (
    any_uid_blocked,
    server_cannot_write,
    user_cannot_read,
    volume_not_owned,
)
from imagepeel.formats.filecaps import XATTR
from imagepeel.formats.passwd import PasswdEntry, parse_passwd
from imagepeel.formats.tar.header import REGULAR
from imagepeel.process.engines.registry import CONTAINERD, DOCKER, KUBERNETES
from imagepeel.process.spec.access import WRITE, Actor, permits
from imagepeel.process.spec.failure import FailureCode
from imagepeel.text import listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.rootfs.tree.inode import Inode

_SWITCHERS = frozenset({"sudo", "su", "doas", "runuser", "pkexec"})
_NO_HOMES = frozenset({"", "/", "/nonexistent", "/dev/null", "/var/empty", "/bin", "/sbin"})
_STDOUT = frozenset({b"/proc/1/fd/1", b"/proc/1/fd/2", b"/dev/stdout", b"/dev/stderr"})


def _actor(subject: Subject) -> Actor:
    return Actor.of(subject.credentials, ())


def _writable(subject: Subject, node: Inode) -> bool:
    return permits(node, _actor(subject), WRITE)


def _passwd(subject: Subject) -> list[PasswdEntry]:
    return parse_passwd(subject.read("/etc/passwd", 1024 * 1024)) if subject.whole and not subject.foreign else []


def _owned(subject: Subject, path: str) -> Lines:
    """Make a directory, where it is missing, and give it to the user of the image."""
    who = subject.credentials
    return (f"RUN mkdir -p {path} && chown {who.uid}:{who.gid} {path}",) if is_plain(path) else ()


@rule(
    "GROUP-LOST-ON-KUBERNETES",
    "Kubernetes drops the group that USER names",
    "medium",
    "headcount",
    "deployments",
    why="""`USER 1000:2000` means gid 2000 for Docker and podman.  The kubelet passes on only the user, so there the gid
    comes from /etc/passwd, or is 0, the root group, when the uid has no line in it.""",
    fix="give the user its group in /etc/passwd, or set runAsGroup in the pod",
    codes="W20",
    sources="containerd#11607, kubernetes#61967, kata-containers#13286",
)
def group_lost(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if (
        ":" not in subject.run.user
        or not subject.starts
        or subject.failed(FailureCode.USER_UNKNOWN, FailureCode.GROUP_UNKNOWN)
    ):
        return
    docker, kubernetes = subject.prediction(DOCKER).user, subject.prediction(KUBERNETES).user
    if docker is not None and kubernetes is not None and docker.gid != kubernetes.gid:
        yield rule.report(
            f"USER {subject.run.user} is gid {docker.gid} with Docker and gid {kubernetes.gid} in Kubernetes",
            subject.pointer("/config/User"),
            *([kubernetes.where] if kubernetes.where is not None and kubernetes.where.path else []),
            profiles=(KUBERNETES,),
        )


@rule(
    "NAMED-USER",
    "USER is a name, and runAsNonRoot wants a number",
    "low",
    "headcount",
    "deployments",
    why="""The kubelet reads the config and never /etc/passwd.  With runAsNonRoot set it cannot tell whether a name is
    root, and refuses: image has non-numeric user, cannot verify user is non-root.""",
    fix="write the number: USER 1000",
    codes="W21, F39",
    sources="prometheus/statsd_exporter#406, kubernetes.io runAsNonRoot",
)
def named_user(rule: Rule, subject: Subject) -> Iterator[Finding]:
    name = subject.run.user.partition(":")[0]
    if not name or name.isdigit() or not subject.starts or subject.failed(FailureCode.USER_UNKNOWN) or subject.uid == 0:
        return
    yield rule.report(
        f"a pod with runAsNonRoot refuses this image: USER {name} is no number (it is uid {subject.uid})",
        subject.pointer("/config/User"),
        profiles=(KUBERNETES,),
        fix=f"USER {subject.uid}",
        dockerfile=setting("USER", ":".join([str(subject.uid), *subject.run.user.split(":")[1:]])),
    )


@rule(
    "UID-WITHOUT-NAME",
    "The uid has no line in /etc/passwd",
    "low",
    "headcount",
    "operations",
    why="""A number works without a line in /etc/passwd, but then the group is 0, the root group, and HOME is /.
    Programs that ask for their own name or write to their home fail: whoami, ssh, npm, Java's user.home.""",
    fix="add a user with that uid and a home, or set HOME and a group",
    codes="W22, W60",
    sources="npm/cli#7572, govard#353, kaniko#477",
)
def uid_without_name(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if (
        not subject.starts
        or not subject.run.user
        or subject.failed(FailureCode.USER_UNKNOWN, FailureCode.GROUP_UNKNOWN)
    ):
        return
    who = subject.credentials
    if who.uid and who.name is None:
        home = subject.user.environment.get("HOME", "/")
        yield rule.report(
            f"uid {who.uid} is not in /etc/passwd: it runs with gid {who.gid} and HOME={home}",
            subject.pointer("/config/User"),
        )


@rule(
    "HOME-OF-SOMEBODY-ELSE",
    "ENV HOME keeps another user's home",
    "medium",
    "strengths",
    "operations",
    why="""Runtimes fill in HOME only when it is absent.  An `ENV HOME=/root` of the base image stays, whatever USER
    says, and every cache and configuration file goes to a directory that the user may not enter.""",
    fix="set ENV HOME to the home of the user, or remove it",
    codes="W23",
)
def home_of_somebody(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or subject.uid == 0 or subject.failed(FailureCode.USER_UNKNOWN):
        return
    home = next((entry for entry in subject.user.env if entry.name == "HOME" and entry.origin == "image"), None)
    if home is None or not home.value.startswith("/"):
        return
    node, who = subject.node(home.value), subject.credentials
    if node is not None and node.is_dir and node.uid != subject.uid and not _writable(subject, node):
        number = next((i for i, entry in enumerate(subject.config.env) if entry.startswith("HOME=")), 0)
        yield rule.report(
            f"HOME={home.value} belongs to uid {node.uid} (mode {node.mode:04o}), the process is uid {subject.uid}",
            subject.pointer(f"/config/Env/{number}"),
            subject.place(home.value),
            dockerfile=setting("ENV", f"HOME={who.home}") if who.home not in _NO_HOMES else (),
        )


@rule(
    "HOME-MISSING",
    "The home directory of the user is missing or belongs to somebody else",
    "low",
    "strengths",
    "operations",
    why="""/etc/passwd promises a home that the image does not have, or that the user cannot write.  `cd` fails, and so
    do programs that keep caches and configuration there.""",
    fix="create it and give it to the user: install -d -o USER /home/USER",
    codes="W24",
    sources="npm/cli#7044",
)
def home_missing(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or subject.uid == 0 or not subject.run.user:
        return
    who = subject.credentials
    if who.name is None or who.home in _NO_HOMES or subject.user.environment.get("HOME") != who.home:
        return
    if who.name in ("nobody", "daemon", "bin", "sys"):
        return
    node = subject.node(who.home)
    if node is None:
        yield rule.report(
            f"the home of {who.name}, {who.home}, does not exist",
            (subject.place("/etc/passwd"), "file"),
            subject.pointer("/config/User"),
            dockerfile=_owned(subject, who.home),
        )
    elif not node.is_dir or not _writable(subject, node):
        yield rule.report(
            f"the user {who.name} (uid {who.uid}) cannot write the home {who.home}: {node.kind} {node.mode:04o} of "
            f"{node.uid}:{node.gid}",
            subject.place(who.home),
            subject.pointer("/config/User"),
            dockerfile=_owned(subject, who.home) if node.is_dir else (),
        )


@rule(
    "PASSWD-COMMENT",
    "A comment in /etc/passwd is taken for root",
    "medium",
    "headcount",
    "infosec",
    why="""The parser of Docker, podman and runc skips no comments: a line that starts with # has no ids, so it counts
    as uid 0, and the first line with uid 0 is root.  Root then has an empty home and loses its groups.""",
    fix="remove comments from /etc/passwd",
    codes="W25",
    dockerfile=("RUN sed -i '/^#/d' /etc/passwd",),
    sources="moby/sys#230, apple/containerization#728",
)
def passwd_comment(rule: Rule, subject: Subject) -> Iterator[Finding]:
    first = next((entry for entry in _passwd(subject) if entry.uid == 0), None)
    if first is not None and first.name.startswith("#"):
        yield rule.report(
            f"line {first.line} of /etc/passwd is a comment, and engines take it for the first line with uid 0",
            (subject.place("/etc/passwd"), "file"),
        )


@rule(
    "PASSWD-TYPO",
    "A malformed line in /etc/passwd makes a user root",
    "medium",
    "headcount",
    "infosec",
    why="""Where the uid or gid is no number, the parser of the engines stores 0 and says nothing: the user becomes
    root, or a member of the root group.""",
    fix="correct the line: name:x:uid:gid:gecos:home:shell with numbers",
    codes="W26",
    sources="moby/sys#248, containerd PR 13797",
)
def passwd_typo(rule: Rule, subject: Subject) -> Iterator[Finding]:
    data = subject.read("/etc/passwd", 1024 * 1024) if subject.whole else b""
    lines = data.split(b"\n")
    for entry in _passwd(subject):
        if entry.name.startswith(("#", "+", "-")) or entry.line > len(lines):
            continue
        fields = lines[entry.line - 1].split(b":")
        if len(fields) < 4:
            continue  # a short line is no line about a user
        wrong = [
            f"{what} {text(fields[at].strip())!r}"
            for at, what, value in ((2, "uid", entry.uid), (3, "gid", entry.gid))
            if value == 0 and not fields[at].strip().lstrip(b"+-").isdigit()
        ]
        if wrong:
            yield rule.report(
                f"line {entry.line} of /etc/passwd gives {entry.name} the {listed(wrong)}: engines read 0",
                (subject.place("/etc/passwd"), "file"),
            )


@rule(
    "WORKDIR-NOT-OWNED",
    "The user cannot write the working directory",
    "low",
    "strengths",
    "operations",
    why="""WORKDIR creates directories as root, also behind USER.  That is right for a program that only reads; anything
    that writes relative paths, pid files or uploads fails.""",
    fix="chown the directory to the user, if the program writes there",
    codes="W27",
    sources="moby#20295, moby#36677, docker/cli#3346",
)
def workdir_not_owned(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or subject.uid == 0 or subject.failed(FailureCode.USER_UNKNOWN, FailureCode.WORKDIR_IN_MOUNT):
        return
    cwd = subject.run.working_dir
    if cwd in ("", "/") or not cwd.startswith("/"):
        return
    node = subject.node(cwd)
    if node is None:
        yield rule.report(
            f"WORKDIR {cwd} is not in the image: Docker makes it for root, the process is uid {subject.uid}",
            subject.pointer("/config/WorkingDir"),
            dockerfile=_owned(subject, cwd),
            profiles=(DOCKER, "docker@20.10"),
        )
    elif node.is_dir and not _writable(subject, node):
        yield rule.report(
            f"uid {subject.uid} cannot write WORKDIR {cwd} (mode {node.mode:04o} of {node.uid}:{node.gid})",
            subject.place(cwd),
            subject.pointer("/config/WorkingDir"),
            dockerfile=_owned(subject, cwd),
        )


@rule(
    "RELATIVE-WORKDIR",
    "WORKDIR is not absolute",
    "high",
    "strengths",
    "deployments",
    why="""Builders make WORKDIR absolute; configs written by other tools may not.  runc refuses: Cwd must be an
    absolute path.  crun prepends a slash, so the same image starts with podman.""",
    fix="write an absolute path",
    codes="W28",
    sources="runtime-spec config.md cwd",
)
def relative_workdir(rule: Rule, subject: Subject) -> Iterator[Finding]:
    cwd = subject.run.working_dir
    if not cwd or cwd.startswith("/") or not subject.starts or subject.foreign:
        return
    refusing = [start for start in subject.starts if start.verdict.kind == "FAILS" and not start.cwd.startswith("/")]
    if not refusing:
        refusing = [start for start in subject.starts if start.verdict.id is FailureCode.WORKDIR_RELATIVE]
    if refusing:
        yield rule.report(
            f"WorkingDir {cwd!r} is relative: {refusing[0].verdict.message}",
            subject.pointer("/config/WorkingDir"),
            dockerfile=setting("WORKDIR", f"/{cwd}"),
            profiles=tuple(start.engine for start in refusing),
        )


@rule(
    "NO-TMP",
    "There is no /tmp that the user can write",
    "low",
    "strengths",
    "operations",
    why="""Most programs and runtimes expect /tmp with mode 1777.  Without it the first temporary file fails: sort,
    mktemp, uploads, Java, Python's tempfile.""",
    fix="create it: mkdir -m 1777 /tmp; or mount a tmpfs",
    codes="W59",
    dockerfile=("RUN mkdir -p /tmp && chmod 1777 /tmp",),
)
def no_tmp(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or not subject.argv:
        return
    node = subject.node("/tmp")
    if node is None:
        # A static program alone may never want one; a C library and what is built on it soon does.
        if subject.prediction().libraries:
            yield rule.report("the image has no /tmp", subject.command_place())
    elif not node.is_dir:
        yield rule.report(f"/tmp is a {node.kind}", subject.place("/tmp"))
    elif not _writable(subject, node):
        yield rule.report(
            f"/tmp has mode {node.mode:04o} of {node.uid}:{node.gid}: uid {subject.uid} cannot write it",
            subject.place("/tmp"),
        )


@rule(
    "LOG-LINK",
    "A log file is a link to somebody else's output",
    "low",
    "friends",
    "monitoring",
    why="""A link to /proc/1/fd/1 or /dev/stdout sends a log file to the container's output.  It opens whatever process
    1 has there anew, and a process that is not root may be refused when that is a pipe or a file of root.""",
    fix="log to the open file descriptor, or test the image with the user it names",
    codes="W61",
    decides="where the log goes when the program opens it as another user",
    sources="moby#6880, moby#19616, docker-library/nginx#4",
)
def log_link(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or subject.uid == 0:
        return
    places = []
    for layer in subject.layers:
        for index, target in layer.table.links.items():
            entry = layer.table[index]
            if target in _STDOUT and entry.kind == "symlink" and not entry.path.startswith(b"/dev/"):
                node = subject.node(entry.path, follow=False)
                if node is not None and node.layer == layer.index and node.entry == index:
                    places.append((subject.at(layer.index, index), target))
    if places:
        shown = listed([f"{place.path} -> {text(target)}" for place, target in places], 3)
        yield rule.report(
            f"{shown}: uid {subject.uid} may not open the output of process 1", *[p for p, _ in places[:5]]
        )


@rule(
    "SETUID-UNDER-NNP",
    "Set-uid programs do nothing under no_new_privs",
    "low",
    "headcount",
    "infosec",
    why="""`ctr` and pods with allowPrivilegeEscalation: false set no_new_privs.  The kernel then ignores the set-uid
    bit: sudo and su start and stay the user they were.  Without it, every such file is a way to become root.""",
    fix="remove the bit where nobody needs it; use gosu or setpriv instead of sudo",
    codes="W49",
    sources="prctl(2) PR_SET_NO_NEW_PRIVS, pod security standards",
)
def setuid(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or subject.uid == 0:
        return
    words = [*subject.argv, *(subject.shell_line or "").split()]
    used = next((word for word in words if word.rsplit("/", 1)[-1] in _SWITCHERS), None)
    if used is not None:
        yield rule.report(
            f"the command goes through {used}, which cannot change the user under no_new_privs",
            subject.command_place(),
            profiles=(CONTAINERD,),
        )
        return
    hits = subject.shown(subject.entries_where(lambda meta: meta.type == REGULAR and bool(meta.mode & 0o4000), 500))
    if hits:
        yield rule.report(
            f"{plural(len(hits), 'set-uid program')} can make uid {subject.uid} root, unless no_new_privs is set: "
            f"{listed([text(hit.path) for hit in hits], 4)}",
            *[subject.place(hit) for hit in hits[:10]],
            severity="info",
            dockerfile=run("chmod", "u-s", *[text(hit.path) for hit in hits]) if len(hits) <= 20 else (),
        )


@rule(
    "SETCAP-LOST",
    "setcap ran while building, and no file has a capability",
    "low",
    "friends",
    "tooling",
    why="""File capabilities are an extended attribute.  A copy into another stage, a tar without attributes, or a later
    chown drops it, and the program cannot bind its port any more.""",
    fix="run setcap in the final stage, after the last chown",
    codes="W51",
    sources="capabilities(7)",
)
def setcap_lost(rule: Rule, subject: Subject) -> Iterator[Finding]:
    step = next((step for step in subject.instructions if step.keyword == "RUN" and "setcap " in step.text), None)
    if step is None or not subject.whole:
        return
    key = b"SCHILY.xattr." + XATTR
    for layer in subject.layers:
        if any(key in extra.pax for extra in layer.table.extras.values()):
            return
    yield rule.report(
        "history shows setcap, and no file of the image carries a capability",
        subject.pointer(f"/history/{step.step}/created_by", step.step),
        dockerfile=run(*plain_command("setcap " + step.text.partition("setcap ")[2])),
    )


RULES: tuple[Rule, ...] = (
    group_lost,
    named_user,
    uid_without_name,
    home_of_somebody,
    home_missing,
    passwd_comment,
    passwd_typo,
    workdir_not_owned,
    user_cannot_read,
    volume_not_owned,
    server_cannot_write,
    any_uid_blocked,
    relative_workdir,
    no_tmp,
    log_link,
    setuid,
    setcap_lost,
)
