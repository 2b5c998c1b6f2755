"""Programs that change who runs: whether they have the right to it, and who it is then.

A switch is a few system calls, and each asks for its own right: `setgroups` always for CAP_SETGID, `setgid` and
`setuid` for CAP_SETGID and CAP_SETUID unless the id stays the same.  A container that starts as another user than root
holds none of them, so a switcher fails there, also when it is asked for the user that it already is.
Texts and exit codes were measured with gosu 1.14 and util-linux 2.38; su-exec's are those of its source (0.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.formats.passwd import Identity, PasswdEntry, UserRefused, resolve_user
from imagepeel.process.engines import user
from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Unproved
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.spec.values import Credentials
from imagepeel.process.wrappers.accounts import Accounts
from imagepeel.process.wrappers.capsh import capsh
from imagepeel.process.wrappers.doas import doas
from imagepeel.process.wrappers.programs import Wrapped, gosu_user_failure
from imagepeel.process.wrappers.refusals import no_right, refused_name
from imagepeel.process.wrappers.sudoers import SUDOERS, Asking, allows_root, is_listed, needs_no_password
from imagepeel.process.wrappers.switched import Switched
from imagepeel.text import decimal

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.view import Rootfs


def switch(
    rootfs: Rootfs,
    wrapped: Wrapped,
    state: ProcessState,
    *,
    program: Node | None,
    called: str,
    opened: str,
    glibc: bool = False,
) -> Switched | Failure | Unproved:
    """Switch to the user that a wrapper is told; a `Failure` where it has not the right to, or where there is none.

    `state` is that of the wrapper itself, `program` its file, `called` its argv[0] and `opened` the path of its execve;
    `glibc` tells that glibc looks the user up for it.
    """
    accounts = Accounts(rootfs)
    old = state.credentials
    name = wrapped.program
    alone = _ALONE.get(name)
    if alone is not None:
        return alone(wrapped, accounts, state)
    if name == "doas":
        return doas(rootfs, wrapped, accounts, state, program)
    if name in ("su", "runuser"):
        if wrapped.family == "busybox":
            return _busybox_su(wrapped, accounts, state)
        return _su(rootfs, wrapped, accounts, state)
    if name == "sudo" and (refused := _sudo(rootfs, wrapped, accounts, state, opened)) is not None:
        return refused
    if name == "gosu" and program is not None and program.mode & 0o4000:
        return _gosu_set_uid(called)
    try:
        found = resolve_user(wrapped.user, accounts.passwd, accounts.group)
    except UserRefused as refused:
        if name == "gosu":
            return gosu_user_failure(wrapped.user, user.failure_of(refused, wrapped.user))
        if name == "s6-setuidgid" and refused.kind == "user-missing":
            return refused_name(name, f"s6-envuidgid: fatal: unknown user: {wrapped.user}", 1, wrapped.user)
        if name == "sudo" and refused.kind == "user-missing":
            words = f"sudo: unknown user {wrapped.user}\nsudo: error initializing audit plugin sudoers_audit"
            return refused_name("sudo", words, 1, wrapped.user)
        return Switched(credentials=old, measured=False)
    if name not in _OWN_CALLS:
        return Switched(credentials=_become(old, found), measured=False)
    call = _denied(found, state.after)
    if call:
        return _OWN_CALLS[name](wrapped, found, call, old)
    home = "/" if found.home is None else found.home
    if name == "s6-setuidgid":
        if glibc and ":" not in wrapped.user and rootfs.resolve(_NSSWITCH).node is None:
            return _s6_without_sources(wrapped.user)
        groups = tuple(dict.fromkeys((found.gid, *found.groups)))
        return Switched(credentials=msgspec.structs.replace(_become(old, found), groups=groups))
    return Switched(credentials=_become(old, found), home=home, measured=name == "gosu")


def _lacks(actor: Actor, uid: int, gid: int, *, groups: bool) -> str:
    """The first right that setgroups, setgid and setuid, in this order, ask for in vain; "" when none."""
    if "SETGID" not in actor.capabilities and (groups or gid != actor.gid):
        return "setgroups" if groups else "setgid"
    return "setuid" if uid != actor.uid and "SETUID" not in actor.capabilities else ""


def _become_ids(old: Credentials, uid: int, gid: int, groups: tuple[int, ...], name: str | None) -> Credentials:
    effective = old.bounding if uid == 0 else ()
    return msgspec.structs.replace(old, uid=uid, gid=gid, groups=groups, name=name, effective=effective)


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


def _gosu_denied(wrapped: Wrapped, found: Identity, call: str, old: Credentials) -> Failure:
    message = f'error: failed switching to "{wrapped.user}": operation not permitted'
    return no_right(message, program="gosu", to=wrapped.user, call=call, old=old)


def _su_exec_denied(wrapped: Wrapped, found: Identity, call: str, old: Credentials) -> Failure:
    shown = f"setuid({found.uid})" if call == "setuid" else call
    if call == "setgroups" and (":" in wrapped.user or found.user_entry is None):
        shown = f"setgroups({found.gid})"
    message = f"su-exec: {shown}: Operation not permitted"
    return no_right(message, program="su-exec", to=wrapped.user, call=call, old=old)


def _s6_denied(wrapped: Wrapped, found: Identity, call: str, old: Credentials) -> Failure:
    what = "supplementary group list" if call == "setgroups" else "uid"
    message = f"s6-applyuidgid: fatal: unable to set {what}: Operation not permitted"
    return no_right(message, program="s6-setuidgid", to=wrapped.user, call=call, old=old, exit_code=111)


_NSSWITCH = "/etc/nsswitch.conf"


def _s6_without_sources(user: str) -> Failure:
    """s6-envuidgid takes the errno that glibc leaves behind for an error of the list of groups (s6 2.11, seen)."""
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        errno="ENOENT",
        message=f"s6-envuidgid: fatal: unable to get supplementary groups for {user}: No such file or directory",
        exit_code=111,
        why=f"the image has no {_NSSWITCH}: glibc reads the files all the same, and s6 takes its errno for an error",
        fix=f"add {_NSSWITCH} with `passwd: files` and `group: files`, or name the user by its numbers, as 1000:1000",
    )


_OWN_CALLS = {"gosu": _gosu_denied, "su-exec": _su_exec_denied, "s6-setuidgid": _s6_denied}
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


def _setpriv(wrapped: Wrapped, accounts: Accounts, state: ProcessState) -> Switched | Failure:
    """setpriv looks every id up as a name first, even one that is a number, and needs no right for what stays."""
    old, actor = state.credentials, state.after
    user_word, _, group_word = wrapped.user.partition(":")
    uid = accounts.uid(user_word) if user_word else old.uid
    gid = accounts.gid(group_word) if group_word else old.gid
    if uid is None or gid is None:
        which, word = ("uid", user_word) if uid is None else ("gid", group_word)
        return _setpriv_refuses(f"failed to parse re{which}: '{word}'", f"{word} is neither a name nor a number")
    ways = [name for name in _GROUP_OPTIONS if any(option.startswith(name) for option in wrapped.options)]
    way = ways[0] if ways else ""
    refused = _setpriv_options(ways, user_word, group_word)
    if refused is not None:
        return refused
    groups: tuple[int, ...] | None = old.groups
    if way == "--init-groups":
        entry = accounts.user(uid) if uid is not None else None
        if entry is None:
            words = f"uid {uid} not found, --init-groups requires an user that can be found on the system"
            return _setpriv_refuses(words, f"/etc/passwd has no line for uid {uid}", "use --clear-groups")
        groups = accounts.memberships(entry.name, entry.gid)
    elif way == "--clear-groups":
        groups = ()
    elif way == "--groups":
        listed = next(option.partition(" ")[2] for option in wrapped.options if option.startswith("--groups"))
        groups = accounts.gids(listed)
    denied = {
        "setresuid": uid != actor.uid and "SETUID" not in actor.capabilities,
        "setresgid": gid != actor.gid and "SETGID" not in actor.capabilities,
        "initgroups" if way == "--init-groups" else "setgroups": way not in ("", "--keep-groups")
        and "SETGID" not in actor.capabilities,
    }
    for call, refuses in denied.items():
        if refuses:
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


def _setpriv_options(ways: list[str], user_word: str, group_word: str) -> Failure | None:
    if len(ways) > 1:
        words = f"mutually exclusive arguments: {' '.join(_GROUP_OPTIONS)}"
        return _setpriv_refuses(words, "two options say which groups")
    if group_word and not ways:
        words = "--[re]gid requires --keep-groups, --clear-groups, --init-groups, or --groups"
        why, fix = "a new group needs an option for the other groups", "add --init-groups or --clear-groups"
        return _setpriv_refuses(words, why, fix)
    if ways == ["--init-groups"] and not user_word:
        return _setpriv_refuses("--init-groups requires --ruid or --reuid", "--init-groups needs a user")
    return None


def _setpriv_refuses(words: str, why: str, fix: str = "correct its options") -> Failure:
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        message=f"setpriv: {words}",
        exit_code=1,
        why=f"setpriv refuses: {why}",
        fix=fix,
    )


def _chroot(wrapped: Wrapped, accounts: Accounts, state: ProcessState) -> Switched | Failure:
    """chroot asks for CAP_SYS_CHROOT first, also for `/`; then --userspec and --groups, names before numbers."""
    old, actor = state.credentials, state.after
    if "SYS_CHROOT" not in actor.capabilities:
        verb, code = ("can't", 1) if wrapped.family == "busybox" else ("cannot", 125)
        return Failure(
            code=FailureCode.WRAPPER_FAILS,
            judge=Judge.USERLAND,
            errno="EPERM",
            message=f"chroot: {verb} change root directory to '{wrapped.root}': Operation not permitted",
            exit_code=code,
            why=f"chroot runs as uid {old.uid} without CAP_SYS_CHROOT",
            fix="start as root, or run the command without chroot",
        )
    spec = wrapped.user
    listed = next((word.partition(" ")[2] for word in wrapped.options if word.startswith("--groups")), None)
    if not spec and listed is None:
        return Switched(credentials=old)
    user_word, _, group_word = spec.partition(":")
    uid = accounts.uid(user_word) if user_word else old.uid
    entry = accounts.user(uid) if user_word and uid is not None else None
    gid = accounts.gid(group_word) if group_word else entry.gid if entry is not None else old.gid
    if uid is None or gid is None:
        return refused_name("chroot", f"chroot: invalid {'user' if uid is None else 'group'}", 125, spec)
    if user_word and not group_word and entry is None:
        return Switched(credentials=old, measured=False)
    groups = accounts.memberships(entry.name, gid) if entry is not None else () if user_word else old.groups
    if listed is not None:
        given = accounts.gids(listed)
        if given is None:
            return Switched(credentials=old, measured=False)
        groups = given
    call = _lacks(actor, uid, gid, groups=bool(user_word) or listed is not None)
    if call:
        what = {"setgroups": "supplemental groups", "setgid": "group-ID", "setuid": "user-ID"}[call]
        message = f"chroot: failed to set {what}: Operation not permitted"
        return no_right(message, program="chroot", to=spec, call=call, old=old, exit_code=125)
    return Switched(credentials=_become_ids(old, uid, gid, groups, entry.name if entry is not None else old.name))


def _su(rootfs: Rootfs, wrapped: Wrapped, accounts: Accounts, state: ProcessState) -> Switched | Failure | Unproved:
    """su and runuser of util-linux: who is root is not asked, runuser refuses others, su asks them for a password."""
    program, old, actor = wrapped.program, state.credentials, state.after
    entry = accounts.user(wrapped.user)
    if program == "runuser" and old.uid and (entry is not None or wrapped.shell is None):
        message = "runuser: may not be used by non-root users"
        return no_right(message, program=program, to=wrapped.user, call="setuid", old=old)
    if entry is None:
        words = f"user {wrapped.user} does not exist or the user entry does not contain all the required fields"
        return refused_name(program, f"{program}: {words}", 1, wrapped.user)
    if old.uid:
        return Unproved(reason=f"su asks uid {old.uid} for the password of {entry.name}, and nobody types one")
    service = f"{program}-l" if wrapped.login else program
    if not any(rootfs.resolve(place).node is not None for place in (f"/etc/pam.d/{service}", *_PAM_ELSE)):
        return Failure(
            code=FailureCode.WRAPPER_FAILS,
            judge=Judge.USERLAND,
            message=f"{program}: Critical error - immediate abort",
            exit_code=1,
            why=f"{program} asks PAM, and the image has neither /etc/pam.d/{service} nor /etc/pam.d/other",
            fix=f"add /etc/pam.d/{service}, or use setpriv, which asks nobody",
        )
    main, more = ([value for name, value in _pairs(wrapped) if name in wanted] for wanted in _SU_GROUPS)
    gid: int | None = entry.gid
    groups: tuple[int, ...] | None = accounts.memberships(entry.name, entry.gid)
    if main or more:
        gid = accounts.gid((main or more)[-1] if main else more[0])
        groups = accounts.gids(",".join([*more, *main]))
    if gid is None or groups is None or (main and more):
        return Switched(credentials=old, measured=False, shell=entry.shell)
    call = _lacks(actor, entry.uid, gid, groups=True)
    if call:
        what = "user id" if call == "setuid" else "groups"
        message = f"{program}: cannot set {what}: Operation not permitted"
        return no_right(message, program=program, to=entry.name, call=call, old=old)
    changed = _become_ids(old, entry.uid, gid, groups, entry.name)
    return Switched(credentials=changed, home=entry.home, shell=entry.shell)


_PAM_ELSE = ("/etc/pam.d/other", "/etc/pam.conf", "/usr/lib/pam.d/other")
"""Where PAM looks when a service has no file of its own."""

_SU_GROUPS = (("-g", "--group"), ("-G", "--supp-group"))


def _pairs(wrapped: Wrapped) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (option.partition(" ") for option in wrapped.options)]


def _busybox_su(wrapped: Wrapped, accounts: Accounts, state: ProcessState) -> Switched | Failure | Unproved:
    """su of busybox: it has no right of its own unless busybox is set-uid, and reads /etc/group by itself."""
    old, actor = state.credentials, state.after
    if actor.uid:
        message = "su: must be suid to work properly"
        return no_right(message, program="su", to=wrapped.user, call="setuid", old=old)
    entry = accounts.user(wrapped.user)
    if entry is None:
        return refused_name("su", f"su: unknown user {wrapped.user}", 1, wrapped.user)
    if old.uid:
        return Unproved(reason=f"su asks uid {old.uid} for the password of {entry.name}, and nobody types one")
    call = _lacks(actor, entry.uid, entry.gid, groups=True)
    if call:
        words = "setuid" if call == "setuid" else "can't set groups"
        return no_right(f"su: {words}: Operation not permitted", program="su", to=entry.name, call=call, old=old)
    groups = (entry.gid, *(found.gid for found in accounts.groups_of(entry.name)))
    changed = _become_ids(old, entry.uid, entry.gid, tuple(dict.fromkeys(groups)), entry.name)
    return Switched(credentials=changed, home=entry.home, shell=entry.shell)


def _numbered(accounts: Accounts, word: str) -> PasswdEntry | None:
    """The line of a uid that is written as Python writes it."""
    digits = decimal(word.removeprefix("-"))
    uid = -digits if digits and word.startswith("-") else digits
    return accounts.user(uid) if uid is not None and str(uid) == word else None


def _start_stop_daemon(wrapped: Wrapped, accounts: Accounts, state: ProcessState) -> Switched | Failure | Unproved:
    """--chuid USER[:GROUP] of Debian's start-stop-daemon (dpkg 1.21) and of busybox's."""
    old, actor = state.credentials, state.after
    if not wrapped.user:
        return Switched(credentials=old)
    user_word, _, group_word = wrapped.user.partition(":")
    if not user_word:
        return Unproved(reason=f"whom start-stop-daemon becomes with the group {group_word} alone is not followed")
    entry = accounts.user(user_word) or _numbered(accounts, user_word)
    if entry is None and wrapped.family != "busybox" and not user_word.isdigit():
        return refused_name("start-stop-daemon", f"start-stop-daemon: user '{user_word}' not found", 2, user_word)
    gid = accounts.gid(group_word) if group_word else entry.gid if entry is not None else None
    if entry is None or gid is None:
        return Switched(credentials=old, measured=False)
    call = _lacks(actor, entry.uid, gid, groups=True)
    if call:
        what = f"uid to {user_word}" if call == "setuid" else f"gid to {gid}"
        message = f"start-stop-daemon: unable to set {what} (Operation not permitted)"
        return no_right(message, program="start-stop-daemon", to=wrapped.user, call=call, old=old, exit_code=2)
    groups = accounts.memberships(entry.name, gid)
    if wrapped.family == "busybox":
        members = (gid, *(found.gid for found in accounts.groups_of(entry.name)))
        groups = tuple(dict.fromkeys(members))
    return Switched(credentials=_become_ids(old, entry.uid, gid, groups, entry.name))


def _sudo_powerless(opened: str, *, no_new_privileges: bool) -> Failure:
    """sudo needs its set-uid bit to work, unless root calls it."""
    words = f"sudo: {opened} must be owned by uid 0 and have the setuid bit set"
    why, fix = "sudo is not set-uid root, and another user than root runs it", f"chmod 4755 {opened}, owned by root"
    if no_new_privileges:
        words = (
            'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.\n'
            "sudo: If sudo is running in a container, you may need to adjust the container configuration to disable the"
            " flag."
        )
        why, fix = "no_new_privs makes the set-uid bit of sudo void", "start as the user that is needed, without sudo"
    return Failure(code=FailureCode.WRAPPER_FAILS, judge=Judge.USERLAND, message=words, exit_code=1, why=why, fix=fix)


def _sudo(
    rootfs: Rootfs, wrapped: Wrapped, accounts: Accounts, state: ProcessState, opened: str
) -> Failure | Unproved | None:
    """Why sudo does not run the command, or may not; None where it does."""
    old = state.credentials
    if state.after.uid:
        return _sudo_powerless(opened, no_new_privileges=old.no_new_privileges)
    if not old.uid:
        return _sudo_as_root(rootfs, wrapped, accounts, old)
    if needs_no_password(rootfs, _asking(wrapped, accounts, old)):
        return None
    return Unproved(reason=f"no line of sudoers that is followed lets uid {old.uid} run this without a password")


def _sudo_as_root(rootfs: Rootfs, wrapped: Wrapped, accounts: Accounts, old: Credentials) -> Failure | Unproved | None:
    """Root is asked for no password and needs a line of sudoers all the same, where there is such a file."""
    if rootfs.resolve(SUDOERS).node is None:
        return None
    asking = _asking(wrapped, accounts, old)
    found = is_listed(rootfs, asking)
    if found is False:
        return Failure(
            code=FailureCode.WRAPPER_FAILS,
            judge=Judge.USERLAND,
            message="root is not in the sudoers file.",
            exit_code=1,
            why=f"no line of {SUDOERS} is about root, and sudo asks it for root too",
            fix=f"add `root ALL=(ALL:ALL) ALL` to {SUDOERS}, or run the command without sudo",
        )
    if found is None or not allows_root(rootfs, asking):
        return Unproved(reason=f"no line of {SUDOERS} that is followed lets root run this as {wrapped.user}")
    return None


def _asking(wrapped: Wrapped, accounts: Accounts, who: Credentials) -> Asking:
    """Who asks sudo: it takes the groups of the process, and those that /etc/group and passwd give to the user."""
    entry = accounts.user(who.uid)
    gids = {who.gid, *who.groups, *(accounts.memberships(entry.name, entry.gid) if entry is not None else ())}
    names = {"ALL", f"#{who.uid}", *(f"%#{gid}" for gid in gids)}
    names |= {f"%{name}" for name in accounts.group_names(gids)}
    return Asking(
        names=frozenset(names if entry is None else {*names, entry.name}),
        wanted=wrapped.user,
        command=wrapped.argv[0] if wrapped.argv[:1] and wrapped.argv[0].startswith("/") else "",
    )


def _chpst(wrapped: Wrapped, accounts: Accounts, state: ProcessState) -> Switched | Failure | Unproved:
    """chpst and setuidgid take the groups that are named, or else the user's own, and no others that list the user."""
    old, program, name = state.credentials, wrapped.program, wrapped.user
    entry = accounts.user(name.partition(":")[0])
    if entry is None and ":" not in name:
        words = f"unknown account {name}" if program == "setuidgid" else f"unknown user/group: {name}"
        return refused_name(program, f"{program}: fatal: {words}", 111, name)
    if entry is None or ":" in name:
        return Unproved(reason=f"whom {program} becomes with {name} is not followed")
    if (call := _lacks(state.after, entry.uid, entry.gid, groups=True)) != "":
        shown = "setgid" if program == "setuidgid" and call == "setgroups" else call
        words = f"{program}: fatal: unable to {shown}: permission denied"
        return no_right(words, program=program, to=name, call=call, old=old, exit_code=111)
    return Switched(credentials=_become_ids(old, entry.uid, entry.gid, (entry.gid,), name))


_ALONE = {
    "setpriv": _setpriv, "chroot": _chroot, "capsh": capsh, "start-stop-daemon": _start_stop_daemon, "chpst": _chpst,
    "setuidgid": _chpst,
}  # fmt: skip
"""Switchers that ask nothing but the account files."""
