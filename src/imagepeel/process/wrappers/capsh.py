"""capsh of libcap: its options are done one after the other, as they stand (libcap 2.66, seen)."""

from __future__ import annotations

import msgspec

from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.spec.values import Credentials
from imagepeel.process.wrappers.accounts import Accounts
from imagepeel.process.wrappers.refusals import no_right, refused_name
from imagepeel.process.wrappers.switched import Switched
from imagepeel.process.wrappers.values import Wrapped
from imagepeel.text import decimal

_QUIET = (
    "--quiet",
    "--strict",
    "--noenv",
    "--keep",
    "--addamb",
    "--noamb",
    "--delamb",
    "--killit",
    "--forkfor",
)
"""Options that say nothing of who it is."""


class _Now(msgspec.Struct, kw_only=True):
    """Who capsh is at one moment."""

    who: Credentials
    capabilities: frozenset[str]
    home: str | None = None


def capsh(wrapped: Wrapped, accounts: Accounts, state: ProcessState) -> Switched | Failure:
    """Do the options of a call in their order."""
    now = _Now(who=state.credentials, capabilities=state.after.capabilities)
    measured = True
    for option in wrapped.options:
        name, _, value = option.partition("=")
        do = _OPTIONS.get(name)
        if do is not None:
            refused = do(value, now, accounts)
            if refused is not None:
                return refused
        elif name == "--no-new-privs":
            now.who = msgspec.structs.replace(now.who, no_new_privileges=True)
        elif name not in _QUIET:
            measured = False
    who = msgspec.structs.replace(now.who, effective=now.who.bounding if now.who.uid == 0 else ())
    return Switched(credentials=who, home=now.home, measured=measured)


def _denied(message: str, now: _Now, to: str, call: str) -> Failure:
    return no_right(message, program="capsh", to=to, call=call, old=now.who)


def _become(now: _Now, uid: int) -> None:
    if now.who.uid == 0 and uid:
        now.capabilities = frozenset()
    now.who = msgspec.structs.replace(now.who, uid=uid)


def _user(value: str, now: _Now, accounts: Accounts) -> Failure | None:
    entry = accounts.user(value)
    if entry is None:
        return refused_name("capsh", f"User [{value}] not known", 1, value)
    if "SETGID" not in now.capabilities:
        return _denied("Unable to set group list for user: Operation not permitted", now, value, "setgroups")
    if entry.uid != now.who.uid and "SETUID" not in now.capabilities:
        words = f"Failed to set uid={entry.uid}(user={value}): Operation not permitted"
        return _denied(words, now, value, "setuid")
    groups = accounts.memberships(entry.name, entry.gid)
    now.who = msgspec.structs.replace(now.who, gid=entry.gid, groups=groups, name=entry.name)
    now.home = entry.home
    _become(now, entry.uid)
    return None


def _number(option: str, value: str) -> Failure | int:
    number = decimal(value)
    if number is not None:
        return number
    return Failure(
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        message=f'invalid {option} value: want non-negative integer, got "{value}"',
        exit_code=1,
        why=f"capsh takes numbers only behind {option}",
        fix=f"write the number of {value}, or --user={value}",
    )


def _uid(value: str, now: _Now, accounts: Accounts) -> Failure | None:
    uid = _number("--uid", value)
    if isinstance(uid, Failure):
        return uid
    if uid != now.who.uid and "SETUID" not in now.capabilities:
        return _denied(f"Failed to set uid={uid}: Operation not permitted", now, value, "setuid")
    _become(now, uid)
    return None


def _gid(value: str, now: _Now, accounts: Accounts) -> Failure | None:
    gid = _number("--gid", value)
    if isinstance(gid, Failure):
        return gid
    if gid != now.who.gid and "SETGID" not in now.capabilities:
        return _denied(f"Failed to set gid={gid}: Operation not permitted", now, value, "setgid")
    now.who = msgspec.structs.replace(now.who, gid=gid)
    return None


def _groups(value: str, now: _Now, accounts: Accounts) -> Failure | None:
    groups: list[int] = []
    for word in filter(None, value.split(",")):
        gid = accounts.gid(word)
        if gid is None:
            return refused_name("capsh", f"Failed to identify gid for group [{word}]", 1, word)
        groups.append(gid)
    if "SETGID" not in now.capabilities:
        return _denied("Failed to setgroups.", now, value, "setgroups")
    now.who = msgspec.structs.replace(now.who, groups=tuple(groups))
    return None


def _drop(value: str, now: _Now, accounts: Accounts) -> Failure | None:
    if "SETPCAP" not in now.capabilities:
        words = "unable to raise CAP_SETPCAP for BSET changes: Operation not permitted"
        return _denied(words, now, "a process with fewer capabilities", "prctl")
    dropped = {word.strip().upper().removeprefix("CAP_") for word in value.split(",")}
    kept = () if "ALL" in dropped else tuple(name for name in now.who.bounding if name not in dropped)
    now.who = msgspec.structs.replace(now.who, bounding=kept)
    return None


def _inherit(value: str, now: _Now, accounts: Accounts) -> Failure | None:
    wanted = {word.strip().upper().removeprefix("CAP_") for word in value.split(",") if word}
    if wanted <= {*now.who.bounding, *now.capabilities}:
        return None
    words = "Unable to set inheritable capabilities: Operation not permitted"
    return _denied(words, now, f"a process that inherits {value}", "capset")


_OPTIONS = {"--inh": _inherit, "--user": _user, "--uid": _uid, "--gid": _gid, "--groups": _groups, "--drop": _drop}
