"""doas: who may become whom by /etc/doas.conf (OpenDoas 6.8.2 with PAM, seen).

The last rule that fits decides.  Rules are followed as far as they are plain words; a file that holds anything else
proves nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import text
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Unproved
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.spec.values import Credentials
from imagepeel.process.wrappers.accounts import Accounts
from imagepeel.process.wrappers.refusals import refused_name
from imagepeel.process.wrappers.switched import Switched
from imagepeel.process.wrappers.values import Wrapped

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.view import Rootfs

CONFIG = "/etc/doas.conf"
_MAX = 65_536
"""Bytes of the file that are read."""
_OPTIONS = frozenset(("nopass", "nolog", "persist", "keepenv"))


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    permits: bool
    nopass: bool
    who: str
    target: str = ""
    command: str = ""
    args: tuple[str, ...] | None = None


def doas(
    rootfs: Rootfs, wrapped: Wrapped, accounts: Accounts, state: ProcessState, program: Node | None
) -> Switched | Failure | Unproved:
    """Whether doas runs the command, and as whom."""
    old = state.credentials
    entry = accounts.user(wrapped.user)
    if entry is None:
        return refused_name("doas", "doas: unknown user", 1, wrapped.user)
    if state.after.uid:
        return _fails("not installed setuid", _no_bit(old), "chmod 4755 doas, owned by root, without no_new_privs")
    if wrapped.options and any(word.startswith("-s") for word in wrapped.options):
        return Unproved(reason="which shell doas -s starts is not followed")
    rules = _rules(rootfs)
    if isinstance(rules, Failure | Unproved):
        return rules
    own = accounts.user(old.uid)
    rule = next((one for one in reversed(rules) if _fits(one, wrapped, accounts, old, own.name if own else "")), None)
    if rule is None or not rule.permits:
        why = f"no rule of {CONFIG} lets uid {old.uid} run {wrapped.argv[0]} as {wrapped.user}"
        return _fails("Operation not permitted", why, f"add a `permit nopass` rule to {CONFIG}")
    if not rule.nopass:
        if "-n" in wrapped.options:
            why = f"the rule of {CONFIG} asks for a password, and -n forbids to"
            return _fails("Authentication required", why, f"write nopass into the rule of {CONFIG}")
        return Unproved(reason=f"doas asks uid {old.uid} for a password, and PAM decides what comes of it")
    if program is not None and not _asks_pam(rootfs):
        return Unproved(reason="doas asks PAM, and the image has no /etc/pam.d/doas")
    groups = accounts.memberships(entry.name, entry.gid)
    effective = old.bounding if entry.uid == 0 else ()
    who = msgspec.structs.replace(
        old, uid=entry.uid, gid=entry.gid, groups=groups, name=entry.name, effective=effective
    )
    return Switched(credentials=who, home=entry.home)


def _no_bit(old: Credentials) -> str:
    if old.no_new_privileges:
        return "no_new_privs makes the set-uid bit of doas void"
    return "doas is not set-uid root, and another user than root runs it"


def _asks_pam(rootfs: Rootfs) -> bool:
    return any(rootfs.resolve(place).node is not None for place in ("/etc/pam.d/doas", "/etc/pam.d/other"))


def _fails(words: str, why: str, fix: str) -> Failure:
    return Failure(
        code=FailureCode.WRAPPER_FAILS, judge=Judge.USERLAND, message=f"doas: {words}", exit_code=1, why=why, fix=fix
    )


def _rules(rootfs: Rootfs) -> list[_Rule] | Failure | Unproved:
    """The rules in their order, or why doas does not read them."""
    node = rootfs.resolve(CONFIG).node
    if node is None:
        words = f"doas is not enabled, {CONFIG}: No such file or directory"
        return _fails(words, f"the image has no {CONFIG}", f"add {CONFIG} with a `permit nopass` rule")
    if node.mode & 0o022:
        return _fails(
            f"{CONFIG} is writable by group or other", f"{CONFIG} has mode {node.mode:04o}", f"chmod 400 {CONFIG}"
        )
    if node.uid:
        return _fails(f"{CONFIG} is not owned by root", f"{CONFIG} belongs to uid {node.uid}", f"chown root {CONFIG}")
    unread = Unproved(reason=f"the rules of {CONFIG} are not all followed")
    if not node.is_file or node.size > _MAX:
        return unread
    found: list[_Rule] = []
    for line in text(rootfs.read(CONFIG, 0, node.size)).splitlines():
        plain = re.sub(r"setenv\s{0,9}\{[^}]{0,1000}\}", "keepenv", line).split()
        if not plain or plain[0].startswith("#"):
            continue
        rule = _rule(plain)
        if rule is None:
            return unread
        found.append(rule)
    return found


def _rule(words: list[str]) -> _Rule | None:
    """One rule; None where it holds more than plain words."""
    if words[0] not in ("permit", "deny") or any(
        re.fullmatch(r"[A-Za-z0-9_./:@%+=,-]+", word) is None for word in words
    ):
        return None
    rest = words[1:]
    options: list[str] = []
    while rest and rest[0] in _OPTIONS:
        options.append(rest.pop(0))
    if not rest:
        return None
    who, rest = rest[0], rest[1:]
    target = command = ""
    args: tuple[str, ...] | None = None
    if rest[:1] == ["as"] and len(rest) > 1:
        target, rest = rest[1], rest[2:]
    if rest[:1] == ["cmd"] and len(rest) > 1:
        command, rest = rest[1], rest[2:]
    if rest[:1] == ["args"]:
        args, rest = tuple(rest[1:]), []
    if rest:
        return None
    return _Rule(
        permits=words[0] == "permit", nopass="nopass" in options, who=who, target=target, command=command, args=args
    )


def _fits(rule: _Rule, wrapped: Wrapped, accounts: Accounts, old: Credentials, name: str) -> bool:
    """Whether a rule is about this user, this target and this command."""
    if rule.who.startswith(":"):
        if accounts.gid(rule.who[1:]) not in {old.gid, *old.groups}:
            return False
    elif rule.who != name and rule.who != str(old.uid):
        return False
    if rule.target and rule.target != wrapped.user:
        return False
    if rule.command and rule.command != wrapped.argv[0]:
        return False
    return rule.args is None or rule.args == wrapped.argv[1:]
