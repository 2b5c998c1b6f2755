"""S3: who the process is, by the image's own passwd and group, and which capabilities it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import LimitExceeded
from imagepeel.evidence import Location, text
from imagepeel.formats.passwd import MAX_FILE, Identity, IdentityFailure, Unreadable, parse_passwd, resolve_user
from imagepeel.process.engines.messages import MOUNT
from imagepeel.process.spec import trace
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.profiles import Engine, Runtime, bounding
from imagepeel.process.spec.values import Credentials

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

PASSWD, GROUP = "/etc/passwd", "/etc/group"


class UserResolution(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials, or the refusal (`kind` and `message` of the engine) beside a best effort."""

    credentials: Credentials
    kind: str = ""
    message: str = ""
    why: str = ""
    id: str = ""
    where: Location | None = None


def read_file(rootfs: Rootfs, path: str) -> bytes | Unreadable | None:
    """passwd or group through the image's own links; None when it is absent."""
    found = rootfs.resolve(path)
    node = found.node
    if found.errno == "ELOOP":
        return Unreadable(reason="too many levels of symbolic links")
    if node is None or found.errno:
        return None
    if node.is_dir:
        return Unreadable(reason="is a directory")
    if not node.is_file:
        return Unreadable(reason="is not a regular file")
    try:
        return rootfs.read(found.path, 0, min(node.size, MAX_FILE))
    except LimitExceeded as error:
        return Unreadable(reason=error.what)


def _fit(failure: IdentityFailure) -> tuple[str, str]:
    rows = {"user-missing": "F13", "group-missing": "F14", "range": "F13", "invalid": "F13", "unreadable": "F42"}
    fixes = {
        "user-missing": "add the user in the final stage, or use a numeric USER",
        "group-missing": "add the group in the final stage, or use a numeric group",
        "range": "use a uid between 0 and 2147483647",
        "invalid": "write USER as name or name:group",
        "unreadable": "let /etc/passwd and /etc/group be plain files",
    }
    return rows[failure.kind], fixes[failure.kind]


def resolve(
    rootfs: Rootfs, spec: str, origin: str, options: ProcessOptions, engine: Engine
) -> tuple[UserResolution, str]:
    """Decide uid, gid, groups, home and capabilities for a USER string; the second value is a fix sentence."""
    passwd, group = read_file(rootfs, PASSWD), read_file(rootfs, GROUP)
    rules = {"docker": "moby", "containerd": "containerd", "drop-group": "cri"}
    chosen = rules["drop-group"] if engine.explicit_group == "drop-group" else rules[engine.user_lookup]
    if chosen == "cri" and not spec:
        chosen = "containerd"
    found = resolve_user(spec, passwd, group, rules=chosen)
    first = PASSWD if spec else GROUP
    if engine.user_lookup == "containerd" and rootfs.resolve(first).errno == "ENOTDIR":
        found = IdentityFailure(kind="unreadable", message=f"lstat {MOUNT}{first}: not a directory")
    caps = bounding(engine, options.cap_add, options.cap_drop)
    nnp = engine.no_new_privileges if options.no_new_privileges is None else options.no_new_privileges
    where = trace.config_place("/config/User") if origin == "image" else None
    if isinstance(found, IdentityFailure):
        found = _worded(found, rootfs, engine)
        row, fix = _fit(found)
        nobody = Credentials(uid=0, gid=0, spec=spec, origin=origin, bounding=caps, no_new_privileges=nnp, where=where)
        why = {
            "user-missing": f"USER {spec!r} is not in /etc/passwd of this image",
            "group-missing": f"the group of USER {spec!r} is not in /etc/group of this image",
        }.get(found.kind, found.message)
        return UserResolution(
            credentials=nobody, kind=found.kind, message=found.message, why=why, id=row, where=where
        ), fix
    groups = _groups(found, engine, spec)
    effective = caps if found.uid == 0 or engine.nonroot_effective else ()
    if found.uid != 0 and engine.family == "podman" and options.cap_add:
        effective = tuple(sorted(name for name in caps if name in bounding_added(options)))
    notes = list(found.notes)
    if ":" in spec and engine.explicit_group == "drop-group":
        notes.append(f"Kubernetes drops the group of {spec!r}: gid {found.gid} comes from passwd, or is 0")
    if spec and found.user_entry is None:
        notes.append(f"uid {found.uid} has no line in /etc/passwd: no name, no home")
    return (
        UserResolution(
            credentials=Credentials(
                uid=found.uid,
                gid=found.gid,
                groups=groups,
                name=found.name or None,
                home="/" if found.home is None else found.home,
                spec=spec,
                origin=origin,
                effective=effective,
                bounding=caps,
                no_new_privileges=nnp,
                notes=tuple(notes),
                where=where,
            )
        ),
        "",
    )


def bounding_added(options: ProcessOptions) -> frozenset[str]:
    from imagepeel.process.spec.profiles import capability_names

    return capability_names(options.cap_add)


def _groups(found: Identity, engine: Engine, spec: str) -> tuple[int, ...]:
    """The supplementary list as the engine writes it: most engines repeat the primary group first."""
    groups = list(found.groups)
    if engine.family == "podman" and ":" in spec:
        groups = []
    if engine.primary_in_groups and (engine.root_in_groups or spec or found.uid or found.gid):
        groups.insert(0, found.gid)
    seen: dict[int, None] = dict.fromkeys(groups)
    return tuple(seen)


def _worded(failure: IdentityFailure, rootfs: Rootfs, engine: Engine) -> IdentityFailure:
    """The failure in this engine's words: they name the file on the host, and old containerd knows no range."""
    message = failure.message
    if failure.kind == "unreadable" and not message.startswith("lstat"):
        name = GROUP if "group" in message else PASSWD
        place = text(rootfs.resolve(name).path)
        reading = f"read {MOUNT}{place}: {message.rsplit(': ', 1)[-1]}"
        head = message.rsplit(": ", 1)[0] + ": " if ": " in message else ""
        message = head + reading
    elif failure.kind == "range" and engine.user_lookup == "containerd" and engine.version < (1, 7):
        message = "no groups found" if "gid" in message else "no users found"
    elif message.startswith("open etc/"):
        name = "/" + message.removeprefix("open ").partition(":")[0]
        place = text(rootfs.resolve(name).path)
        message = f"open {MOUNT}{place}: no such file or directory"
    return IdentityFailure(kind=failure.kind, message=message)


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The value the runtime gives HOME and why; `problem`: runc's refusal when passwd cannot be read."""

    value: str | None
    why: str
    problem: str = ""


def home_of(rootfs: Rootfs, user: Credentials, runtime: Runtime) -> Home:
    """HOME by uid, as the runtime looks it up: runc with the engines' parser, crun with the C library's."""
    passwd = read_file(rootfs, PASSWD)
    if isinstance(passwd, Unreadable):
        if runtime.family == "crun":
            return Home(value=None, why=f"/etc/passwd {passwd.reason}")
        problem = f"unable to setup user: unable to find user {user.uid}: read {PASSWD}: {passwd.reason}"
        return Home(value="/", why="", problem=problem)
    if passwd is None:
        return Home(value="/", why="there is no /etc/passwd")
    if runtime.family == "crun":
        home = _libc_home(passwd, user.uid)
        if home is None:
            return Home(value=None, why=f"uid {user.uid} is not in /etc/passwd: crun sets no HOME")
        return Home(value=home, why=f"home of uid {user.uid} in /etc/passwd")
    for entry in parse_passwd(passwd):
        if entry.uid == user.uid:
            return Home(value=entry.home, why=f"home in line {entry.line} of /etc/passwd, the first with that uid")
    return Home(value="/", why=f"uid {user.uid} is not in /etc/passwd")


def _libc_home(passwd: bytes, uid: int) -> str | None:
    """The home of a uid by `fgetpwent`: comments and lines whose ids are no numbers are skipped."""
    for line in passwd.split(b"\n"):
        line = line.lstrip(b" \t")
        fields = line.split(b":")
        if line.startswith(b"#") or len(fields) < 3:
            continue
        numbers = fields[2:4]
        if all(part.isdigit() for part in numbers) and int(fields[2]) == uid:
            return text(fields[5]) if len(fields) > 5 else ""
    return None
