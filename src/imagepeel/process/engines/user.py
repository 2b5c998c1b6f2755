"""Who the process is, by the image's own passwd and group, and which capabilities it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel.errors import LimitExceeded
from imagepeel.evidence import raw, text
from imagepeel.formats.passwd import (
    MAX_FILE,
    MAX_GROUP_LINE,
    AccountFile,
    AccountSource,
    Identity,
    RefusalKind,
    Unreadable,
    UserRefused,
    account_file,
    resolve_user,
)
from imagepeel.process.engines.capabilities import bounding, capability_names
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.messages import MOUNT
from imagepeel.process.spec import trace
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Phase
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import Credentials, UserOrigin
from imagepeel.tables import ERRNO_GO
from imagepeel.text import size

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

PASSWD, GROUP = "/etc/passwd", "/etc/group"

_CODES: dict[RefusalKind, FailureCode] = {
    "user-missing": FailureCode.USER_UNKNOWN,
    "group-missing": FailureCode.GROUP_UNKNOWN,
    "range": FailureCode.USER_UNKNOWN,
    "invalid": FailureCode.USER_UNKNOWN,
    "unreadable": FailureCode.ETC_UNUSABLE,
    "oversized": FailureCode.ETC_UNUSABLE,
}
_DIFFER = "older releases read all of it, newer ones at most 10 MiB"
_FIXES: dict[RefusalKind, str] = {
    "user-missing": "add the user in the final stage, or use a numeric USER",
    "group-missing": "add the group in the final stage, or use a numeric group",
    "range": "use a uid between 0 and 2147483647",
    "invalid": "write USER as name or name:group",
    "unreadable": "let /etc/passwd and /etc/group be plain files",
    "oversized": "write a passwd and a group file of some kilobytes",
}


class UserResolution(msgspec.Struct, frozen=True, kw_only=True):
    """The result of resolving USER: the credentials, and where the engine refuses them, the failure.

    With a failure the credentials are those of root, so that the rest of the start can still be told; `kind` is then
    the kind of `formats.passwd.UserRefused`.
    """

    credentials: Credentials
    failure: Failure | None = None
    kind: RefusalKind | Literal[""] = ""


class _Read(dict[str, AccountSource]):
    """The account files of one filesystem that were read, by path."""

    def __init__(self, _: Rootfs) -> None:
        super().__init__()


def read_file(rootfs: Rootfs, path: str) -> AccountSource:
    """passwd, group or a file like them through the image's own links, read once; None when it is absent."""
    known = rootfs.derived(_Read)
    if path not in known:
        known[path] = _read(rootfs, path)
    return known[path]


def _read(rootfs: Rootfs, path: str) -> AccountSource:
    found = rootfs.resolve(path)
    node = found.node
    if found.errno == "ELOOP":
        return Unreadable(reason=ERRNO_GO["ELOOP"], errno="ELOOP")
    if node is None or found.errno:
        return None
    if node.is_dir:
        return Unreadable(reason=ERRNO_GO["EISDIR"], errno="EISDIR")
    if not node.is_file:
        return Unreadable(reason="is not a regular file")
    try:
        return account_file(rootfs.read(found.path, 0, min(node.size, MAX_FILE + 1)))
    except LimitExceeded as error:
        return Unreadable(reason=error.what)


def unproved_accounts(rootfs: Rootfs, engine: Engine) -> str:
    """Why nobody can say what this engine makes of passwd and group: their kind or size; "" where neither matters.

    Source: moby/sys user 0.4.1 and containerd since CVE-2026-47262 read 10 MiB at most, and the first refuses a longer
    line of group; earlier ones read without end.  All of them open the file before they look at its kind, and Linux
    lets who opens a fifo wait for a writer: docker 20.10.24, podman 4.3.1 and ctr 1.6.20 were watched waiting.
    """
    for path in (PASSWD, GROUP):
        node = rootfs.resolve(path).node
        if node is not None and node.kind == "fifo":
            waits = "older releases wait" if engine.reads_accounts == "unknown" else "this engine waits"
            return f"{path} is a fifo: {waits} for somebody who writes into it, and the start hangs"
        if node is not None and node.kind in ("char", "block"):
            return f"{path} is a device: what it gives depends on the host"
    if engine.reads_accounts == "bounded":
        return ""
    whole = engine.reads_accounts == "whole"
    for path in (PASSWD, GROUP):
        node = rootfs.resolve(path).node
        if node is None or not node.is_file or node.size < MAX_GROUP_LINE:
            continue
        if node.size > MAX_FILE:
            who = "this engine reads all of it, which nobody did here" if whole else _DIFFER
            return f"{path} has {size(node.size)}: {who}"
        found = read_file(rootfs, path)
        if path == GROUP and not whole and isinstance(found, AccountFile) and found.group_too_long:
            return f"{path} has a line of more than 1 MiB: older releases read it, newer ones refuse it"
    return ""


def _as_engine_reads(rootfs: Rootfs, path: str, engine: Engine) -> AccountSource:
    return None if _is_emptied(rootfs, path, engine) else read_file(rootfs, path)


def _is_emptied(rootfs: Rootfs, path: str, engine: Engine) -> bool:
    """Whether a directory stands in place of a file, and the engine takes it for an empty one."""
    node = rootfs.resolve(path).node if engine.empties_account_directories else None
    return node is not None and node.is_dir


def _link_that_escapes(rootfs: Rootfs, engine: Engine, files: tuple[str, ...]) -> str:
    """The first file behind an absolute link that the engine does not follow, as it opens it; "" for none.

    Source: containerd 2.2.0 opens them with Go's os.Root, for which an absolute link leads out; 2.2.3 reads the last
    link itself and opens its target in the same way.
    """
    if engine.account_links == "all":
        return ""
    for name in files:
        path = raw(name)
        for hop in rootfs.resolve(path).hops:
            if not hop.target.startswith(b"/"):
                continue
            if engine.account_links == "none" or hop.path != raw(name):
                return text(path.lstrip(b"/"))
            path = hop.target
    return ""


def resolve(rootfs: Rootfs, spec: str, origin: UserOrigin, options: ProcessOptions, engine: Engine) -> UserResolution:
    """Decide uid, gid, groups, home and capabilities for a USER string; `origin` is `image` or `option`."""
    nnp = engine.no_new_privileges if options.no_new_privileges is None else options.no_new_privileges
    nobody = Credentials(
        uid=0,
        gid=0,
        spec=spec,
        origin=origin,
        bounding=bounding(engine.capabilities, options.cap_add, options.cap_drop),
        no_new_privileges=nnp,
        where=trace.config_place("/config/User") if origin == "image" else None,
    )
    try:
        found = _find(rootfs, spec, engine)
    except UserRefused as refused:
        failure = _in_words_of(engine, refused, rootfs, spec)
        file = trace.locate(rootfs, f"/etc/{refused.database}") if failure.code is FailureCode.ETC_UNUSABLE else None
        failure = msgspec.structs.replace(failure, where=file or nobody.where)
        return UserResolution(credentials=nobody, failure=failure, kind=refused.kind)
    effective = nobody.bounding if found.uid == 0 or engine.nonroot_effective else ()
    if found.uid != 0 and engine.added_capabilities_reach_users and options.cap_add:
        added = capability_names(options.cap_add)
        effective = tuple(sorted(name for name in nobody.bounding if name in added))
    notes = list(found.notes)
    if ":" in spec and (dropped := engine.dropped_group(spec, found.gid)):
        notes.append(dropped)
    if spec and found.user_entry is None:
        told = (
            "has no line in /etc/passwd: no name, no home" if rootfs.complete
            else "is in no /etc/passwd of the layers that are here: its name and home are not known"
        )  # fmt: skip
        notes.append(f"uid {found.uid} {told}")
    credentials = msgspec.structs.replace(
        nobody,
        uid=found.uid,
        gid=found.gid if options.run_as_group is None else options.run_as_group,
        groups=_groups(found, engine, spec, options),
        name=found.name or None,
        home="/" if found.home is None else found.home,
        effective=effective,
        notes=tuple(notes),
    )
    return UserResolution(credentials=credentials)


def _groups(found: Identity, engine: Engine, spec: str, options: ProcessOptions) -> tuple[int, ...]:
    """The supplementary list as the engine writes it: engines repeat the primary group first."""
    strict = options.supplemental_groups_policy == "Strict" and engine.knows_groups_policy
    grouped = ":" in spec or options.run_as_group is not None
    groups = [] if strict or (engine.colon_ends_groups and grouped) else list(found.groups)
    gid = found.gid if options.run_as_group is None else options.run_as_group
    if engine.root_in_groups or spec or found.uid or gid:
        groups.insert(0, gid)
    groups += options.groups
    return tuple(dict.fromkeys(groups))


def _find(rootfs: Rootfs, spec: str, engine: Engine) -> Identity:
    """Who a USER string is by the rules of the engine.  UserRefused where it refuses."""
    first = PASSWD if spec else GROUP
    if engine.stats_account_files and rootfs.resolve(first).errno == "ENOTDIR":
        raise UserRefused("unreadable", f"lstat {MOUNT}{first}: {ERRNO_GO['ENOTDIR']}", errno="ENOTDIR")
    if escaped := _link_that_escapes(rootfs, engine, (PASSWD, GROUP) if spec else (GROUP,)):
        raise UserRefused("unreadable", f"openat {escaped}: path escapes from parent")
    rules = engine.user_rules if spec else engine.nobody_rules
    passwd, group = (_as_engine_reads(rootfs, path, engine) for path in (PASSWD, GROUP))
    return resolve_user(spec, passwd, group, rules=rules, strict_ids=engine.strict_ids)


def failure_of(refused: UserRefused, spec: str) -> Failure:
    """The refusal of a user string as a failure: of the engine, until a program in the image makes it its own."""
    why = {
        "user-missing": f"USER {spec!r} is not in /etc/passwd of this image",
        "group-missing": f"the group of USER {spec!r} is not in /etc/group of this image",
    }.get(refused.kind, str(refused))
    return Failure(
        code=_CODES[refused.kind],
        judge=Judge.ENGINE,
        errno=refused.errno,
        message=str(refused),
        why=why,
        fix=_FIXES[refused.kind],
        phase=Phase.BARE if refused.kind in {"invalid", "range"} else Phase.START,
    )


def _in_words_of(engine: Engine, refused: UserRefused, rootfs: Rootfs, spec: str) -> Failure:
    """The refusal in this engine's words: they name the file on the host."""
    failure = failure_of(refused, spec)
    if refused.reason:
        place = f"{MOUNT}{text(rootfs.resolve(f'/etc/{refused.database}').path)}"
        verb = "read" if refused.kind in {"unreadable", "oversized"} else "open"
        message = f"{verb} {place}: {refused.reason}"
        message = f"{refused.doing}: {message}" if refused.doing else message
        why = message if failure.why == failure.message else failure.why
        failure = msgspec.structs.replace(failure, message=message, why=why)
    emptied = f"/etc/{refused.database or 'passwd'}"
    if refused.kind in {"user-missing", "group-missing"} and _is_emptied(rootfs, emptied, engine):
        why = f"{emptied} is a directory, which this engine takes for an empty file: {failure.why}"
        failure = msgspec.structs.replace(failure, code=FailureCode.ETC_UNUSABLE, fix=_FIXES["unreadable"], why=why)
    return failure
