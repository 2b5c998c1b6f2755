"""Programs that change who runs: whether they have the right to it, and who it is then.

A switch is a few system calls, and each asks for its own right: `setgroups` always for CAP_SETGID, `setgid` and
`setuid` for CAP_SETGID and CAP_SETUID unless the id stays the same.  A container that starts as another user than root
holds none of them, so a switcher fails there, also when it is asked for the user that it already is.
Texts and exit codes were measured with gosu 1.14 and util-linux 2.38; su-exec's are those of its source (0.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.formats.passwd import (
    GroupEntry,
    Identity,
    IdentityFailure,
    Unreadable,
    parse_group,
    parse_passwd,
    resolve_user,
)
from imagepeel.process.engines import user
from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.spec.values import Credentials
from imagepeel.process.wrappers.programs import Wrapped, gosu_user_failure

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.view import Rootfs


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """Who it is after a switch.

    `home` is what HOME becomes, None where it stays.  `measured` tells that the program was watched doing this.
    """

    credentials: Credentials
    home: str | None = None
    measured: bool = True

    @property
    def actor(self) -> Actor:
        """What the kernel asks about who it is now."""
        return Actor.of(self.credentials, self.credentials.effective if self.credentials.uid == 0 else ())


def switch(
    rootfs: Rootfs, wrapped: Wrapped, state: ProcessState, *, program: Node | None, called: str
) -> Switched | Failure:
    """Switch to the user that a wrapper is told; a `Failure` where it has not the right to, or where there is none.

    `state` is that of the wrapper itself, `program` its file and `called` its argv[0].
    """
    passwd, group = user.read_file(rootfs, user.PASSWD), user.read_file(rootfs, user.GROUP)
    old = state.credentials
    if wrapped.program == "setpriv":
        return _setpriv(wrapped, passwd, group, state)
    if wrapped.program == "gosu" and program is not None and program.mode & 0o4000:
        return _gosu_set_uid(called)
    found = resolve_user(wrapped.user, passwd, group)
    if isinstance(found, IdentityFailure):
        if wrapped.program == "gosu":
            return gosu_user_failure(wrapped.user, found.message)
        return Switched(credentials=old, measured=False)
    if wrapped.program not in _OWN_CALLS:
        return Switched(credentials=_become(old, found), measured=False)
    call = _denied(found, state.after)
    if call:
        return _OWN_CALLS[wrapped.program](wrapped, found, call, old)
    home = "/" if found.home is None else found.home
    return Switched(credentials=_become(old, found), home=home, measured=wrapped.program == "gosu")


def _denied(wanted: Identity, actor: Actor) -> str:
    """The first of setgroups, setgid and setuid that the kernel refuses to this actor; "" when all may be called."""
    if "SETGID" not in actor.capabilities:
        return "setgroups"
    if wanted.uid != actor.uid and "SETUID" not in actor.capabilities:
        return "setuid"
    return ""


def _become(old: Credentials, found: Identity) -> Credentials:
    effective = old.bounding if found.uid == 0 else ()
    return msgspec.structs.replace(
        old, uid=found.uid, gid=found.gid, groups=found.groups, name=found.name, effective=effective
    )


def no_right(message: str, *, program: str, to: str, call: str, old: Credentials, exit_code: int = 1) -> Failure:
    """A switcher that may not do what it is for; `to` is whom it should become and `call` what the kernel refuses."""
    right = "CAP_SETUID" if call == "setuid" else "CAP_SETGID"
    who = f"root without {right}" if old.uid == 0 else f"uid {old.uid}, which has no {right}"
    keep = f"do not drop {right}" if old.uid == 0 else f"start as root, or run the command without {program}"
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        errno="EPERM",
        message=message,
        exit_code=exit_code,
        why=f"{program} cannot become {to}: it runs as {who}, and {call} is not permitted",
        fix=keep,
    )


def _gosu_denied(wrapped: Wrapped, found: Identity, call: str, old: Credentials) -> Failure:
    message = f'error: failed switching to "{wrapped.user}": operation not permitted'
    return no_right(message, program="gosu", to=wrapped.user, call=call, old=old)


def _su_exec_denied(wrapped: Wrapped, found: Identity, call: str, old: Credentials) -> Failure:
    shown = f"setuid({found.uid})" if call == "setuid" else call
    if call == "setgroups" and (":" in wrapped.user or found.user_entry is None):
        shown = f"setgroups({found.gid})"
    message = f"su-exec: {shown}: Operation not permitted"
    return no_right(message, program="su-exec", to=wrapped.user, call=call, old=old)


_OWN_CALLS = {"gosu": _gosu_denied, "su-exec": _su_exec_denied}
"""Switchers that call setgroups, setgid and setuid, in this order, and their words about one that is refused."""


def _gosu_set_uid(called: str) -> Failure:
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        message=f"error: \"{called}\" appears to be installed with the 'setuid' bit set, which is an *extremely*"
        " insecure and completely unsupported configuration! (what you want instead is likely 'sudo' or 'su')",
        exit_code=1,
        why="gosu refuses to run with the set-uid bit: with it, every user could become root",
        fix=f"chmod u-s {called}, or use sudo",
    )


def _setpriv(
    wrapped: Wrapped, passwd: bytes | Unreadable | None, group: bytes | Unreadable | None, state: ProcessState
) -> Switched | Failure:
    """setpriv looks every id up as a name first, even one that is a number, and needs no right for what stays."""
    old, actor = state.credentials, state.after
    user_word, _, group_word = wrapped.user.partition(":")
    users = parse_passwd(passwd) if isinstance(passwd, bytes) else []
    entries = parse_group(group) if isinstance(group, bytes) else []
    uid: int | None = old.uid
    if user_word:
        uid = next((entry.uid for entry in users if entry.name == user_word), None)
        uid = int(user_word) if uid is None and user_word.isdigit() else uid
    gid: int | None = old.gid
    if group_word:
        gid = next((entry.gid for entry in entries if entry.name == group_word), None)
        gid = int(group_word) if gid is None and group_word.isdigit() else gid
    if uid is None or gid is None:
        which, word = ("uid", user_word) if uid is None else ("gid", group_word)
        return _setpriv_refuses(f"failed to parse re{which}: '{word}'", f"{word} is neither a name nor a number")
    ways = [name for name in _GROUP_OPTIONS if any(option.startswith(name) for option in wrapped.options)]
    if len(ways) > 1:
        return _setpriv_refuses(
            f"mutually exclusive arguments: {' '.join(_GROUP_OPTIONS)}", "two options say which groups"
        )
    way = ways[0] if ways else ""
    if group_word and not way:
        words = "--[re]gid requires --keep-groups, --clear-groups, --init-groups, or --groups"
        return _setpriv_refuses(
            words, "a new group needs an option for the other groups", "add --init-groups or --clear-groups"
        )
    name = next((entry.name for entry in users if entry.uid == uid), None)
    groups: tuple[int, ...] | None = old.groups
    if way == "--init-groups":
        if not user_word:
            return _setpriv_refuses("--init-groups requires --ruid or --reuid", "--init-groups needs a user")
        if name is None:
            words = f"uid {uid} not found, --init-groups requires an user that can be found on the system"
            return _setpriv_refuses(words, f"/etc/passwd has no line for uid {uid}", "use --clear-groups")
        groups = _init_groups(name, gid, entries)
    elif way == "--clear-groups":
        groups = ()
    elif way == "--groups":
        groups = _listed(wrapped, entries)
    for call, refused in (
        ("setresuid", uid != actor.uid and "SETUID" not in actor.capabilities),
        ("setresgid", gid != actor.gid and "SETGID" not in actor.capabilities),
        ("initgroups" if way == "--init-groups" else "setgroups",
         way not in ("", "--keep-groups") and "SETGID" not in actor.capabilities),
    ):  # fmt: skip
        if refused:
            message = f"setpriv: {call} failed: Operation not permitted"
            to = wrapped.user.replace(":", ", group ") if user_word else f"group {group_word}"
            right = "setuid" if call == "setresuid" else call
            return no_right(message, program="setpriv", to=to, call=right, old=old, exit_code=127)
    effective = old.effective if uid == 0 else ()
    changed = msgspec.structs.replace(
        old, uid=uid, gid=gid, groups=old.groups if groups is None else groups, effective=effective
    )
    return Switched(credentials=changed, measured=groups is not None)


_GROUP_OPTIONS = ("--clear-groups", "--keep-groups", "--init-groups", "--groups")


def _init_groups(name: str, gid: int, entries: list[GroupEntry]) -> tuple[int, ...]:
    """What `initgroups` sets: the group given, and each group that lists the user."""
    return tuple(dict.fromkeys((gid, *(entry.gid for entry in entries if name in entry.members))))


def _listed(wrapped: Wrapped, entries: list[GroupEntry]) -> tuple[int, ...] | None:
    """The ids of `--groups LIST`; None where a word of it is no group."""
    value = next((option.partition(" ")[2] for option in wrapped.options if option.startswith("--groups")), "")
    found: list[int] = []
    for word in value.split(","):
        known = next((entry.gid for entry in entries if entry.name == word), None)
        if known is None and not word.isdigit():
            return None
        found.append(int(word) if known is None else known)
    return tuple(found)


def _setpriv_refuses(words: str, why: str, fix: str = "correct its options") -> Failure:
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        message=f"setpriv: {words}",
        exit_code=1,
        why=f"setpriv refuses: {why}",
        fix=fix,
    )
