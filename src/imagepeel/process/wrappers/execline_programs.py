"""The programs of execline: what each does with its words before it executes the rest of them (2.9.3, each one run).

A block is a program of its own, which most of them start as a child.  How that child ends is told where the image
proves it; where it decides what becomes of process 1 and nothing proves it, the program is not followed further.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from imagepeel._lazy import late
from imagepeel.evidence import text
from imagepeel.process.shell.commands import changes_of
from imagepeel.process.shell.conditions import evaluate_test
from imagepeel.process.shell.interpreters import family_of_tool
from imagepeel.process.shell.ordinary import is_ordinary
from imagepeel.process.shell.state import succeeds
from imagepeel.process.spec.failure import Failure
from imagepeel.process.wrappers import execline_values as plain
from imagepeel.process.wrappers.execline_words import (
    Called,
    Does,
    NotFollowed,
    Run,
    block_of,
    fails,
    goes_on,
    hidden,
    is_execline,
    needs_rest,
    substituted_all,
    taken,
    wrapped,
)
from imagepeel.tables import ERRNO_LIBC, ErrnoName
from imagepeel.text import decimal

_MAX_DEPTH = 20
"""Blocks within blocks that are followed to tell how a child ends."""


# -- how a block ends ----------------------------------------------------------------------------------------


def _unspawned(call: Called, block: Sequence[str]) -> ErrnoName:
    """The errno with which a block's program cannot be started; "" where it starts or nothing is proved."""
    state = call.state
    if not block or state.changed > 1 or ("/" not in block[0] and not _knows_path(call)):
        return ""
    refused = call.image.refuses(block[0], state.env.get("PATH"), state.cwd)
    if refused is None:
        return ""
    return "EACCES" if refused.errno in ("EACCES", "EISDIR") else "ENOENT"


def _knows_path(call: Called) -> bool:
    return "PATH" in call.state.env and "PATH" not in call.state.hidden


def _cannot_spawn(call: Called, block: Sequence[str]) -> Failure | None:
    """The failure of a program that cannot start the child which it needs."""
    errno = _unspawned(call, block)
    if not errno:
        return None
    said = f"unable to spawn {block[0]}: {ERRNO_LIBC[errno]}"
    why = f"{call.name} cannot start {block[0]}: {ERRNO_LIBC[errno].lower()}"
    return fails(f"{call.name}: fatal: {said}", 111, why, f"install {block[0]} in the image or correct the script")


def _leads_to(call: Called, name: str) -> bytes | None:
    """The file that a name leads to."""
    if "/" not in name:
        found = call.image.finds(name, call.state.env["PATH"]) if _knows_path(call) else None
    else:
        found = name
    return call.rootfs.resolve(found).path if found else None


def _is_real(call: Called, name: str) -> bool:
    """Whether a name leads to a tool of coreutils, of busybox or of execline."""
    found = _leads_to(call, name)
    if found is None:
        return False
    own = found.rsplit(b"/", 1)[-1] in (b"execline", b"eltest", b"exit") and is_execline(call.rootfs, found)
    return own or family_of_tool(call.rootfs, text(found)) is not None


def _code(call: Called, block: Sequence[str]) -> int | None:
    """The exit code of a child, where the image proves it."""
    if not block:
        return 0
    name = block[0].rsplit("/", 1)[-1]
    state = call.state
    if call.depth >= _MAX_DEPTH:
        return None
    if name in ("true", "false", "test", "[", "eltest", "exit"):
        return _simple(call, name, block) if _is_real(call, block[0]) else None
    run = PROGRAMS.get(name)
    if run is not None:
        own = _leads_to(call, block[0])
        if own is None or not is_execline(call.rootfs, own):
            return None
        inner = msgspec.structs.replace(call, name=name, words=list(block[1:]), depth=call.depth + 1)
        try:
            found = run(inner)
        except NotFollowed:
            return None
        if isinstance(found, Failure):
            return found.exit_code
        plain = found is not None and found.kind in ("exec", "none") and not found.hangs and not found.env
        if found is None or not plain or found.cwd or found.env_clear or found.failure_exit or found.hidden:
            return None
        moved = max(state.changed, found.changed)
        after = msgspec.structs.replace(inner, state=msgspec.structs.replace(state, changed=moved))
        return _code(after, found.argv)
    if state.changed or state.hidden:
        return None
    told = call.image.tool(tuple(block), state.env, state.cwd)
    if told is not None:
        return told.code
    script = call.image.child(tuple(block), state.env, state.cwd, state.changed)
    return script.exit_code if script is not None and script.kind == "ends" and script.sure else None


def _simple(call: Called, name: str, block: Sequence[str]) -> int | None:
    words = list(block[1:])
    if name in ("true", "false"):
        return None if words else int(name == "false")
    if name == "exit":
        told = decimal(words[0]) if words else 0
        return told if told is not None and told < 256 else None
    if name == "[" and words[-1:] != ["]"]:
        return None

    def file(operator: str, path: str) -> bool | None:
        return None if call.state.changed else call.image.test(operator, path, call.state.cwd)

    answer = evaluate_test(words[:-1] if name == "[" else words, file)
    return None if answer is None else int(not answer)


def _changed(*blocks: Sequence[str]) -> int:
    """What children may have made: 0 nothing, 1 directories and data, 2 programs too."""
    return max((_of_block(block) for block in blocks), default=0)


def _of_block(block: Sequence[str]) -> int:
    words = [word.strip(" ") for word in block]
    name = words[0].rsplit("/", 1)[-1] if words else "true"
    if name in PROGRAMS or name in ("exit", "eltest"):
        names = {one.rsplit("/", 1)[-1] for one in words}  # any of them may be a program that a block starts
        tools = [changes_of(one) for one in names if is_ordinary([one])]
        plain = all(one in PROGRAMS or is_ordinary([one]) or not one.isalpha() or len(one) == 1 for one in names)
        return max(tools, default=0) if plain else 2
    return changes_of(name)


def _decides(call: Called, block: Sequence[str], *, negated: bool, how: str) -> bool:
    """Whether a condition holds.  Raises where nothing proves how it ends."""
    code = _code(call, block)
    if code is None:
        raise NotFollowed(f"nothing in the image tells whether `{' '.join(block)}` succeeds, {how}")
    return (code == 0) is not negated


# -- conditions ----------------------------------------------------------------------------------------------


def _if(call: Called) -> Does:
    options, words = taken(call, "Xnt", "x")
    block, rest = block_of(words)
    failure = _cannot_spawn(call, block)
    if failure is not None:
        return failure
    code, negated, changed = _code(call, block), "n" in options, _changed(block)
    line = " ".join(block)
    if code is None:
        if negated or not is_ordinary(block):
            return goes_on(call, rest, hangs=line, changed=changed)
        return goes_on(call, rest, assumes=(succeeds(line),), changed=changed)
    if (code == 0) is not negated:
        return goes_on(call, rest, changed=changed)
    told = decimal(options["x"]) if "x" in options else None
    ends = 0 if "t" in options else code if told is None else told
    why = f"`{line}` ends with {code}, and if then ends with {ends}"
    if not ends:
        return wrapped(call.name, (), kind="none", why=why)
    return fails("", ends, why, "correct the condition, or add to the image what it asks for")


def _ifelse(call: Called) -> Does:
    options, words = taken(call, "Xn")
    block, rest = block_of(words)
    then, other = block_of(rest)
    failure = _cannot_spawn(call, block)
    if failure is not None:
        return failure
    holds = _decides(call, block, negated="n" in options, how="and that decides which program it becomes")
    return goes_on(call, then if holds else other, changed=_changed(block))


def _ifte(call: Called) -> Does:
    options, words = taken(call, "Xn")
    then, rest = block_of(words)
    other, asked = block_of(rest)
    failure = _cannot_spawn(call, asked)
    if failure is not None:
        return failure
    holds = _decides(call, asked, negated="n" in options, how="and that decides which program it becomes")
    return goes_on(call, then if holds else other, changed=_changed(asked))


def _ifthenelse(call: Called) -> Does:
    options, words = taken(call, "Xs")
    block, rest = block_of(words)
    then, rest = block_of(rest)
    other, rest = block_of(rest)
    failure = _cannot_spawn(call, block)
    if failure is not None:
        return failure
    if "s" not in options:
        return goes_on(call, rest, changed=_changed(block, then, other))
    holds = _decides(call, block, negated=False, how="and that decides which program it becomes")
    return goes_on(call, [*(then if holds else other), *rest], changed=_changed(block))


def _tryexec(call: Called) -> Does:
    options, words = taken(call, "n")
    block, rest = block_of(words)
    first, second = (rest, block) if "n" in options else (block, rest)
    if not first:
        return goes_on(call, second)
    if _unspawned(call, first):
        return goes_on(call, second)
    starts = bool(_knows_path(call) and call.image.finds(first[0], call.state.env["PATH"]))
    if call.state.changed > 1 or not (starts if "/" not in first[0] else call.image.test("x", first[0], "")):
        raise NotFollowed(f"nothing in the image tells whether {first[0]} can be executed")
    return wrapped(call.name, first)


_PATTERN = late(r"(?:[A-Za-z0-9_/ -]|\.(?!\*)|\||\[[A-Za-z0-9-]{1,80}\])*")
"""Patterns that mean the same to regcomp(3) and to `re`, and that take no more time than their subject is long."""
_GLOB = late(r"[A-Za-z0-9_/ .?-]*(?:\*[A-Za-z0-9_/ .?-]*){0,2}")


def _case(call: Called) -> Does:
    options, words = taken(call, "sSeEni")
    if not words:
        return None
    value, words = words[0], words[1:]
    inner, rest = block_of(words)
    for _ in range(len(inner)):
        if not inner:
            break
        pattern, inner = inner[0], inner[1:]
        block, inner = block_of(inner)
        if "s" in options:
            understood = bool(_GLOB.fullmatch(pattern))
            pattern = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        else:
            understood = bool(_PATTERN.fullmatch(pattern)) and "e" not in options
        if not understood:
            raise NotFollowed(f"whether {pattern} matches {value} is not followed")
        try:
            found = re.fullmatch(pattern, value, re.IGNORECASE if "i" in options else 0)
        except re.error:
            raise NotFollowed(f"whether {pattern} matches {value} is not followed") from None
        if found:
            return goes_on(call, block)
    return goes_on(call, rest)


# -- children besides ----------------------------------------------------------------------------------------


def _foreground(call: Called) -> Does:
    block, rest = block_of(call.words)
    return goes_on(call, rest, changed=0 if _unspawned(call, block) else _changed(block))


def _background(call: Called) -> Does:
    options, words = taken(call, "d")
    block, rest = block_of(words)
    failure = None if "d" in options else _cannot_spawn(call, block)
    return failure or goes_on(call, rest, changed=_changed(block))


def _pipeline(call: Called) -> Does:
    options, words = taken(call, "drw")
    block, rest = block_of(words)
    if not rest:
        return fails("pipeline: fatal: empty remainder", 100, "pipeline has nothing to execute", "correct the script")
    failure = None if "d" in options else _cannot_spawn(call, block)
    return failure or wrapped(call.name, rest, changed=_changed(block))


def _backtick(call: Called) -> Does:
    options, words = taken(call, "iIxNnEe", "D")
    if not words:
        return None
    variable, words = words[0], words[1:]
    block, rest = block_of(words)
    if not block:
        return fails("backtick: fatal: empty block", 100, "backtick is given nothing to run", "correct the script")
    failure = _cannot_spawn(call, block)
    if failure is not None:
        return failure
    line, code, changed = " ".join(block), _code(call, block), _changed(block)
    insists = not options.keys() & set("IxD")
    if code and insists:
        why = f"`{line}` ends with {code}, and backtick ends with that"
        return fails("backtick: fatal: child process exited non-zero", code, why, "correct the command")
    if "E" in options:
        if any(f"${{{variable}}}" in word or word.endswith(f"${variable}") for word in rest):
            raise NotFollowed(f"only the start tells what `{line}` writes, and {variable} stands for it")
        more: dict[str, Any] = {}
    else:
        more = {"hidden": hidden(variable)}
    if insists and code is None:
        more |= {"assumes": (succeeds(line),)} if is_ordinary(block) else {"hangs": line}
    return goes_on(call, rest, changed=changed, **more)


def _loop(call: Called) -> Does:
    """`forx`, which stays and runs the rest once for each value of its list."""
    options, words = taken(call, "pEe", "ox")
    if not words:
        return None
    variable, words = words[0], words[1:]
    values, rest = block_of(words)
    if not values or not rest:
        return goes_on(call, ())
    env: dict[str, str | None] = {}
    if "E" in options:
        rest = substituted_all(rest, {variable: [values[0]]})
    else:
        env = {variable: values[0]}
    failure = _cannot_spawn(call, rest)
    why = f"it stays and runs the rest of the line once for each of {len(values)} values"
    return failure or wrapped(call.name, rest, kind="fork", env=env, env_unknown=True, why=why)


def _trap(call: Called) -> Does:
    _, words = taken(call, "x")
    block, rest = block_of(words)
    if not block:
        return fails("trap: fatal: empty block", 100, "trap is given no signal", "correct the script")
    failure = _cannot_spawn(call, rest)
    why = "it stays, waits for its child and runs a block for each signal that it traps"
    return failure or needs_rest(call, rest, kind="fork", env_unknown=True, why=why)


def _told(reason: str) -> Run:
    def run(call: Called) -> Does:
        raise NotFollowed(reason)

    return run


PROGRAMS: dict[str, Run] = {
    "background": _background,
    "backtick": _backtick,
    "case": _case,
    "cd": plain.cd,
    "define": plain.define,
    "elgetopt": _told("options of the command line are not followed"),
    "elgetpositionals": plain.elgetpositionals,
    "elglob": _told("the names that its pattern matches are not followed"),
    "emptyenv": plain.emptyenv,
    "envfile": plain.envfile,
    "exec": plain.execs,
    "execline-cd": plain.cd,
    "execline-umask": plain.skipping(1),
    "exit": plain.exits,
    "export": plain.export,
    "fdblock": plain.skipping(1, "n"),
    "fdclose": plain.skipping(1),
    "fdmove": plain.fdmove,
    "fdreserve": plain.skipping(1),
    "fdswap": plain.skipping(2),
    "forbacktickx": _told("only the start tells what its block writes, and it runs its command once for each word"),
    "foreground": _foreground,
    "forstdin": _told("nothing in the image tells what it reads from standard input"),
    "forx": _loop,
    "getcwd": plain.getcwd,
    "getpid": plain.getpid,
    "heredoc": plain.skipping(2, "d"),
    "homeof": _told("it prints a directory and ends"),
    "if": _if,
    "ifelse": _ifelse,
    "ifte": _ifte,
    "ifthenelse": _ifthenelse,
    "importas": plain.importas,
    "loopwhilex": _told("it runs its command again and again until that fails"),
    "multidefine": plain.multidefine,
    "multisubstitute": plain.multisubstitute,
    "pipeline": _pipeline,
    "piperw": plain.skipping(2),
    "redirfd": plain.redirfd,
    "runblock": _told("which block of the command line it runs is not followed"),
    "s6-envdir": plain.envdir,
    "s6-softlimit": plain.softlimit,
    "trap": _trap,
    "tryexec": _tryexec,
    "umask": plain.skipping(1),
    "unexport": plain.unexport,
    "wait": plain.wait,
    "withstdinas": plain.withstdinas,
}
"""What the programs of execline do, by name, and of s6 those that are written like them."""
