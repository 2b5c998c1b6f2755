"""The programs of execline: what each does with its words before it executes the rest of them (2.9.3, each one run).

A block is a program of its own, which most of them start as a child.  How that child ends is told where the image
proves it; where it decides what becomes of process 1 and nothing proves it, the program is not followed further.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from imagepeel._lazy import late
from imagepeel.process.shell.commands import changes_of
from imagepeel.process.shell.conditions import evaluate_test
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.shell.interpreters import family_of_tool
from imagepeel.process.shell.ordinary import is_ordinary
from imagepeel.process.shell.state import succeeds
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.state import ProcessState
from imagepeel.process.wrappers.values import Wrapped
from imagepeel.rootfs.view import Rootfs
from imagepeel.tables import ERRNO_LIBC, ErrnoName
from imagepeel.text import decimal

_MAX_DEPTH = 20
"""Blocks within blocks that are followed to tell how a child ends."""
_MAX_OUT = 5_000
"""Words that a substitution may make."""


class NotFollowed(Exception):
    """What a program does with these words is not followed; the reason is for people."""


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """A call of one program of execline."""

    name: str
    words: list[str]
    rootfs: Rootfs
    image: ShellImage
    state: ProcessState
    depth: int = 0


Does = Wrapped | Failure | None
"""What the program does; None where it has no command left and says how it is to be used."""


def wrapped(name: str, argv: Sequence[str], **more: Any) -> Wrapped:
    return Wrapped(**{"program": name, "family": "execline", "kind": "exec", "argv": tuple(argv), **more})


def fails(message: str, exit_code: int, why: str, fix: str) -> Failure:
    return Failure(
        code=FailureCode.WRAPPER_FAILS, judge=Judge.USERLAND, message=message, exit_code=exit_code, why=why, fix=fix
    )


def options_of(words: Sequence[str], valued: str = "") -> tuple[dict[str, str], list[str]]:
    """Options in front, each with its value or ""."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest and len(rest[0]) > 1 and rest[0][0] == "-":
        option = rest.pop(0)
        if option == "--":
            break
        for at, letter in enumerate(option[1:], 1):
            if letter in valued:
                found[letter] = option[at + 1 :] or (rest.pop(0) if rest else "")
                break
            found[letter] = ""
    return found, rest


def _taken(call: Called, known: str, valued: str = "") -> tuple[dict[str, str], list[str]]:
    """The options of a program that has no others than these."""
    options, rest = options_of(call.words, valued)
    strange = "".join(sorted(options.keys() - set(known + valued)))
    if strange:
        raise NotFollowed(f"its option -{strange[0]} is not followed")
    return options, rest


def _block(words: list[str]) -> tuple[list[str], list[str]]:
    """The words of the block in front, unmarked, and what is behind it."""
    for at, word in enumerate(words):
        if not word:
            return [one[1:] for one in words[:at]], words[at + 1 :]
        if not word.startswith(" "):
            break
    raise NotFollowed("its block has no end")


def _goes_on(call: Called, rest: Sequence[str], **more: Any) -> Does:
    """Execute the rest; without one the program ends with 0, as those do that call execline's own exec."""
    if not rest:
        return wrapped(call.name, (), kind="none", why=f"{call.name} has nothing left to execute and ends with 0")
    return wrapped(call.name, rest, **more)


def _needs_rest(call: Called, rest: Sequence[str], **more: Any) -> Does:
    """The same for a program that asks for a command."""
    return wrapped(call.name, rest, **more) if rest else None


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


def _is_real(call: Called, name: str) -> bool:
    """Whether a name leads to a tool of coreutils, of busybox or of execline."""
    if "/" not in name:
        found = call.image.finds(name, call.state.env["PATH"]) if _knows_path(call) else None
    else:
        found = name
    if not found:
        return False
    own = call.rootfs.resolve(found).path.rsplit(b"/", 1)[-1]
    return own in (b"execline", b"eltest", b"exit") or family_of_tool(call.rootfs, found) is not None


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
    options, words = _taken(call, "Xnt", "x")
    block, rest = _block(words)
    failure = _cannot_spawn(call, block)
    if failure is not None:
        return failure
    code, negated, changed = _code(call, block), "n" in options, _changed(block)
    line = " ".join(block)
    if code is None:
        if negated or not is_ordinary(block):
            return _goes_on(call, rest, hangs=line, changed=changed)
        return _goes_on(call, rest, assumes=(succeeds(line),), changed=changed)
    if (code == 0) is not negated:
        return _goes_on(call, rest, changed=changed)
    told = decimal(options["x"]) if "x" in options else None
    ends = 0 if "t" in options else code if told is None else told
    why = f"`{line}` ends with {code}, and if then ends with {ends}"
    if not ends:
        return wrapped(call.name, (), kind="none", why=why)
    return fails("", ends, why, "correct the condition, or add to the image what it asks for")


def _ifelse(call: Called) -> Does:
    options, words = _taken(call, "Xn")
    block, rest = _block(words)
    then, other = _block(rest)
    failure = _cannot_spawn(call, block)
    if failure is not None:
        return failure
    holds = _decides(call, block, negated="n" in options, how="and that decides which program it becomes")
    return _goes_on(call, then if holds else other, changed=_changed(block))


def _ifte(call: Called) -> Does:
    options, words = _taken(call, "Xn")
    then, rest = _block(words)
    other, asked = _block(rest)
    failure = _cannot_spawn(call, asked)
    if failure is not None:
        return failure
    holds = _decides(call, asked, negated="n" in options, how="and that decides which program it becomes")
    return _goes_on(call, then if holds else other, changed=_changed(asked))


def _ifthenelse(call: Called) -> Does:
    options, words = _taken(call, "Xs")
    block, rest = _block(words)
    then, rest = _block(rest)
    other, rest = _block(rest)
    failure = _cannot_spawn(call, block)
    if failure is not None:
        return failure
    if "s" not in options:
        return _goes_on(call, rest, changed=_changed(block, then, other))
    holds = _decides(call, block, negated=False, how="and that decides which program it becomes")
    return _goes_on(call, [*(then if holds else other), *rest], changed=_changed(block))


def _tryexec(call: Called) -> Does:
    options, words = _taken(call, "n")
    block, rest = _block(words)
    first, second = (rest, block) if "n" in options else (block, rest)
    if not first:
        return _goes_on(call, second)
    if _unspawned(call, first):
        return _goes_on(call, second)
    starts = bool(_knows_path(call) and call.image.finds(first[0], call.state.env["PATH"]))
    if call.state.changed > 1 or not (starts if "/" not in first[0] else call.image.test("x", first[0], "")):
        raise NotFollowed(f"nothing in the image tells whether {first[0]} can be executed")
    return wrapped(call.name, first)


_PATTERN = late(r"(?:[A-Za-z0-9_/ -]|\.(?!\*)|\||\[[A-Za-z0-9-]{1,80}\])*")
"""Patterns that mean the same to regcomp(3) and to `re`, and that take no more time than their subject is long."""
_GLOB = late(r"[A-Za-z0-9_/ .?-]*(?:\*[A-Za-z0-9_/ .?-]*){0,2}")


def _case(call: Called) -> Does:
    options, words = _taken(call, "sSeEni")
    if not words:
        return None
    value, words = words[0], words[1:]
    inner, rest = _block(words)
    for _ in range(len(inner)):
        if not inner:
            break
        pattern, inner = inner[0], inner[1:]
        block, inner = _block(inner)
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
            return _goes_on(call, block)
    return _goes_on(call, rest)


# -- children besides ----------------------------------------------------------------------------------------


def _foreground(call: Called) -> Does:
    block, rest = _block(call.words)
    return _goes_on(call, rest, changed=0 if _unspawned(call, block) else _changed(block))


def _background(call: Called) -> Does:
    options, words = _taken(call, "d")
    block, rest = _block(words)
    failure = None if "d" in options else _cannot_spawn(call, block)
    return failure or _goes_on(call, rest, changed=_changed(block))


def _pipeline(call: Called) -> Does:
    options, words = _taken(call, "drw")
    block, rest = _block(words)
    if not rest:
        return fails("pipeline: fatal: empty remainder", 100, "pipeline has nothing to execute", "correct the script")
    failure = None if "d" in options else _cannot_spawn(call, block)
    return failure or wrapped(call.name, rest, changed=_changed(block))


def _backtick(call: Called) -> Does:
    options, words = _taken(call, "iIxNnEe", "D")
    if not words:
        return None
    variable, words = words[0], words[1:]
    block, rest = _block(words)
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
        more = {"hidden": _hidden(variable)}
    if insists and code is None:
        more |= {"assumes": (succeeds(line),)} if is_ordinary(block) else {"hangs": line}
    return _goes_on(call, rest, changed=changed, **more)


def _hidden(variable: str) -> tuple[str, ...]:
    """A variable whose value nobody knows before the start, of those that decide no search."""
    if variable == "PATH" or variable.startswith("LD_"):
        raise NotFollowed(f"only the start tells the value of {variable}, which decides what is found")
    return (variable,)


def _loop(call: Called) -> Does:
    """`forx`, which stays and runs the rest once for each value of its list."""
    options, words = _taken(call, "pEe", "ox")
    if not words:
        return None
    variable, words = words[0], words[1:]
    values, rest = _block(words)
    if not values or not rest:
        return _goes_on(call, ())
    env: dict[str, str | None] = {}
    if "E" in options:
        rest = substituted_all(rest, {variable: [values[0]]})
    else:
        env = {variable: values[0]}
    failure = _cannot_spawn(call, rest)
    why = f"it stays and runs the rest of the line once for each of {len(values)} values"
    return failure or wrapped(call.name, rest, kind="fork", env=env, env_unknown=True, why=why)


def _trap(call: Called) -> Does:
    _, words = _taken(call, "x")
    block, rest = _block(words)
    if not block:
        return fails("trap: fatal: empty block", 100, "trap is given no signal", "correct the script")
    failure = _cannot_spawn(call, rest)
    why = "it stays, waits for its child and runs a block for each signal that it traps"
    return failure or _needs_rest(call, rest, kind="fork", env_unknown=True, why=why)


# -- descriptors ---------------------------------------------------------------------------------------------

_ALWAYS = frozenset(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
"""Devices of every container that everybody may open."""


def _redirfd(call: Called) -> Does:
    options, words = _taken(call, "rwuaxnb")
    modes = [mode for mode in "rwuax" if mode in options]
    if len(modes) != 1 or len(words) < 3 or decimal(words[0]) is None:
        return None
    mode, path, rest = modes[0], words[1], words[2:]
    errno = "" if path in _ALWAYS else _opening(call, mode, path, waits="n" not in options)
    if errno:
        why = f"redirfd cannot open {path}: {ERRNO_LIBC[errno].lower()}"
        return fails(f"redirfd: fatal: unable to open {path}: {ERRNO_LIBC[errno]}", 111, why, f"make {path} fit for it")
    return wrapped(call.name, rest, changed=int(mode in "wax" and not path.startswith("/dev/")))


def _opening(call: Called, mode: str, path: str, *, waits: bool) -> ErrnoName:
    """The errno of opening a file; "" also where that cannot be told, as for a shell's redirection."""
    image, cwd = call.image, call.state.cwd
    if call.state.changed and not path.startswith(("/dev/", "/proc/")):
        raise NotFollowed(f"what ran before may have made or removed {path}")
    if waits and mode != "u" and image.test("p", path, cwd):
        raise NotFollowed(f"{path} is a FIFO, and nothing in the image tells whether somebody opens its other end")
    there = image.test("e", path, cwd)
    if mode == "x" and there:
        return "EEXIST"
    if mode in "ru":
        read = image.read(path, cwd)
        if read is not None and read[1]:
            return read[1]
        if mode == "r":
            return ""
    refuses = image.volume_refuses(path, cwd)
    if refuses:
        raise NotFollowed(f"it depends on whether {refuses}")
    return image.create(path, cwd) or ""


def _skipping(operands: int, known: str = "") -> Callable[[Called], Does]:
    """A program that changes nothing that is looked at here."""

    def run(call: Called) -> Does:
        return _needs_rest(call, _taken(call, known)[1][operands:])

    return run


def _softlimit(call: Called) -> Does:
    return _needs_rest(call, options_of(call.words, "acdflmnoprst")[1])


def _fdmove(call: Called) -> Does:
    _, words = _taken(call, "c")
    if len(words) < 3 or any(decimal(word) is None for word in words[:2]):
        return None
    if int(words[1]) > 2:
        raise NotFollowed(f"whether descriptor {words[1]} is open is not followed")
    return wrapped(call.name, words[2:])


def _withstdinas(call: Called) -> Does:
    options, words = _taken(call, "iInNEe", "D")
    if not words:
        return None
    if "E" in options:
        raise NotFollowed("nothing in the image tells what it reads from standard input")
    return _goes_on(call, words[1:], hidden=_hidden(words[0]))


def _wait(call: Called) -> Does:
    _, words = _taken(call, "aIoi", "t")
    return _goes_on(call, _block(words)[1])


# -- the state of the process --------------------------------------------------------------------------------


def _exec(call: Called) -> Does:
    options, rest = options_of(call.words, "a")
    if not rest:
        return None
    given = options.get("a") or rest[0]
    argv0 = f"-{given}" if "l" in options else options.get("a", "")
    return wrapped("exec", rest, env_clear="c" in options, argv0=argv0)


def _cd(call: Called) -> Does:
    words = options_of(call.words)[1]
    if len(words) < 2:
        return None
    errno = call.image.enter(words[0], call.state.cwd)
    if errno and not call.state.changed:
        said = f"execline-cd: fatal: unable to chdir to {words[0]}: {ERRNO_LIBC[errno]}"
        return fails(said, 111, f"cd cannot enter {words[0]}", f"add {words[0]} to the image")
    if errno:
        raise NotFollowed(f"what ran before may have made {words[0]}")
    return wrapped("cd", words[1:], cwd=words[0])


def _export(call: Called) -> Does:
    words = call.words
    return wrapped("export", words[2:], env={words[0]: words[1]}) if len(words) > 2 else None


def _unexport(call: Called) -> Does:
    words = call.words
    return wrapped("unexport", words[1:], env={words[0]: None}) if len(words) > 1 else None


def _emptyenv(call: Called) -> Does:
    options, rest = _taken(call, "pcoP")
    if not rest:
        return None
    if options.keys() & set("coP"):
        own = [name for name in call.state.env if name == "#" or name.isdigit()]
        return wrapped("emptyenv", rest, env=dict.fromkeys(own) if "P" in options or "c" in options else {})
    path = call.state.env.get("PATH")
    kept: dict[str, str | None] = {"PATH": path} if "p" in options and path is not None else {}
    return wrapped("emptyenv", rest, env_clear=True, env=kept)


_LINE = late(r'[ \t]*([A-Za-z_][A-Za-z0-9_]{0,200})[ \t]*=[ \t]*(?:"([^"\\]*+)"|([^"\\\']*?))[ \t]*')


def _envfile(call: Called) -> Does:
    options, words = _taken(call, "iI")
    if len(words) < 2:
        return None
    path, rest = words[0], words[1:]
    if call.state.changed:
        raise NotFollowed(f"what ran before may have written {path}")
    if call.image.test("d", path, call.state.cwd):
        said = f"envfile: fatal: unable to read from {path}: {ERRNO_LIBC['EISDIR']}"
        return fails(said, 111, f"{path} is a directory", f"make {path} a file")
    read = call.image.read(path, call.state.cwd)
    if read is None:
        raise NotFollowed(f"what {path} holds is not known")
    if read[1] == "ENOENT" and "I" in options:
        return wrapped(call.name, rest)
    if read[1]:
        said = f"envfile: fatal: unable to open {path}: {ERRNO_LIBC[read[1]]}"
        return fails(said, 111, f"envfile cannot open {path}", f"add {path} to the image")
    env: dict[str, str | None] = {}
    for number, line in enumerate(read[0].split("\n"), 1):
        if not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise NotFollowed(f"line {number} of {path} is not followed")
        env[found[1]] = found[3] if found[2] is None else found[2]
    return wrapped(call.name, rest, env=env)


def _envdir(call: Called) -> Does:
    options, words = _taken(call, "iI")
    if len(words) < 2:
        return None
    path, rest = words[0], words[1:]
    image, cwd = call.image, call.state.cwd
    there = image.test("d", path, cwd)
    if there is None or call.state.changed:
        raise NotFollowed(f"what {path} holds is not known")
    if not there:
        if image.test("e", path, cwd):
            raise NotFollowed(f"{path} is no directory")
        if "I" in options:
            return wrapped(call.name, rest)
        said = f"s6-envdir: fatal: unable to envdir {path}: {ERRNO_LIBC['ENOENT']}"
        return fails(said, 111, f"there is no directory {path}", f"add {path} to the image")
    env: dict[str, str | None] = {}
    for name in image.names(path, cwd) or ():
        read = image.read(f"{path}/{name}", cwd)
        if read is None or read[1]:
            raise NotFollowed(f"what {path}/{name} holds is not known")
        first = read[0].split("\n", 1)[0].rstrip(" \t").replace("\0", "\n")
        env[name] = first if read[0] else None
    return wrapped(call.name, rest, env={name: value for name, value in env.items() if not name.startswith(".")})


def _getpid(call: Called) -> Does:
    options, words = _taken(call, "EePp")
    if len(words) < 2 or not call.state.first or options.keys() & set("Pp"):
        raise NotFollowed("the number of its process is not known")
    return _binds(call, words, "1", imports="E" in options)


def _getcwd(call: Called) -> Does:
    options, words = _taken(call, "Ee")
    if len(words) < 2:
        return None
    return _binds(call, words, call.state.cwd, imports="E" in options)


def _binds(call: Called, words: list[str], value: str, *, imports: bool) -> Does:
    if imports:
        return _goes_on(call, substituted_all(words[1:], {words[0]: [value]}))
    return wrapped(call.name, words[1:], env={words[0]: value})


def _exit(call: Called) -> Does:
    told = decimal(call.words[0]) if call.words else 0
    if told is None or told > 255:
        raise NotFollowed("its word is no exit code")
    if told:
        return fails("", told, f"the script ends with `exit {told}`", "correct the script")
    return wrapped("exit", (), kind="none", why="the script ends with exit")


# -- substitution --------------------------------------------------------------------------------------------

_NAMED = late(r"\$\{([^}]{0,255}+)\}|\$([^${}]+)$")
"""A name without braces counts at the end of a word only."""


def substituted(word: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """The words that one word becomes: none or several where a value is none or several words."""
    pieces: list[Sequence[str]] = []
    at, names = 0, 0
    for found in _NAMED.finditer(word):
        name = found[1] if found[1] is not None else found[2]
        if name in values:
            pieces += [[word[at : found.start()]], values[name]]
            at, names = found.end(), names + 1
    if not names:
        return [word]
    size = 1
    for piece in pieces:
        size *= len(piece)
    if size > _MAX_OUT or size * len(word) > 1 << 20:
        raise NotFollowed("the words become too many")
    return ["".join((*one, word[at:])) for one in itertools.product(*pieces)]


def substituted_all(words: Sequence[str], values: Mapping[str, Sequence[str]]) -> list[str]:
    out: list[str] = []
    for word in words:
        out += substituted(word, values)
        if len(out) > _MAX_OUT:
            raise NotFollowed("the words become too many")
    return out


_OF_VALUES = "nNsCc"


def _split(value: str, options: Mapping[str, str]) -> list[str]:
    """A value as the options for values make words of it."""
    if "n" in options and "s" not in options:
        value = value.removesuffix("\n")
    if "s" not in options:
        return [value]
    between = options.get("d", " \n\r\t")
    if not between:
        raise NotFollowed("a value that is split at NUL is not followed")
    parts = re.split(f"[{re.escape(between)}]{'+' if 'C' in options else ''}", value)
    return parts if parts[-1] else parts[:-1]


def _imported(call: Called, options: Mapping[str, str], variable: str) -> list[str] | Failure:
    """The words of a variable."""
    if variable in call.state.hidden:
        raise NotFollowed(f"only the start tells the value of {variable}")
    value = call.state.env.get(variable, options.get("D"))
    if value is None and "i" in options:
        said = f"{call.name}: fatal: {variable} not set"
        return fails(said, 100, f"the variable {variable} is not set", f"set {variable}")
    return [] if value is None else _split(value, options)


def _define(call: Called) -> Does:
    options, words = _taken(call, _OF_VALUES, "d")
    if len(words) < 2:
        return None
    return _goes_on(call, substituted_all(words[2:], {words[0]: _split(words[1], options)}))


def _importas(call: Called) -> Does:
    """`importas [-u] [-i] [-D DEFAULT] NAME VARIABLE`: the rest of the line with the variable's value."""
    options, words = _taken(call, _OF_VALUES + "ui", "dD")
    if len(words) < 2:
        return None
    values = _imported(call, options, words[1])
    if isinstance(values, Failure):
        return values
    changes: dict[str, str | None] = {words[1]: None} if "u" in options else {}
    return _goes_on(call, substituted_all(words[2:], {words[0]: values}), env=changes)


def _multisubstitute(call: Called) -> Does:
    block, rest = _block(call.words)
    values: dict[str, Sequence[str]] = {}
    changes: dict[str, str | None] = {}
    while block:
        kind = block[0]
        if kind not in ("define", "importas"):
            raise NotFollowed(f"its directive {kind} is not followed")
        inner = msgspec.structs.replace(call, words=block[1:])
        options, block = _taken(inner, _OF_VALUES + "ui", "dD")
        if len(block) < 2:
            raise NotFollowed(f"its directive {kind} has not all its words")
        found = _split(block[1], options) if kind == "define" else _imported(call, options, block[1])
        if isinstance(found, Failure):
            return found
        values[block[0]] = found
        if "u" in options:
            changes[block[1]] = None
        block = block[2:]
    return _goes_on(call, substituted_all(rest, values), env=changes)


def _multidefine(call: Called) -> Does:
    options, words = _taken(call, "nNCc", "d")
    if not words:
        return None
    names, rest = _block(words[1:])
    found = _split(words[0], {**options, "s": ""})
    padded = [*found, *[""] * len(names)]
    return _goes_on(
        call, substituted_all(rest, {name: [value] for name, value in zip(names, padded, strict=False) if name})
    )


def _elgetpositionals(call: Called) -> Does:
    options, words = _taken(call, "", "P")
    env, least = call.state.env, decimal(options.get("P", "0"))
    count = decimal(env.get("#", ""))
    if count is None or least is None or max(count, least) > _MAX_OUT:
        raise NotFollowed("the positional parameters are not known")
    given = [env.get(str(number), "") for number in range(1, count + 1)]
    values: dict[str, Sequence[str]] = {str(number): [""] for number in range(1, least + 1)}
    values |= {str(number): [word] for number, word in enumerate(given, 1)}
    return _goes_on(call, substituted_all(words, {**values, "#": [str(count)], "0": [env.get("0", "")], "@": given}))


def _told(reason: str) -> Callable[[Called], Does]:
    def run(call: Called) -> Does:
        raise NotFollowed(reason)

    return run


PROGRAMS: dict[str, Callable[[Called], Does]] = {
    "background": _background,
    "backtick": _backtick,
    "case": _case,
    "cd": _cd,
    "define": _define,
    "elgetopt": _told("options of the command line are not followed"),
    "elgetpositionals": _elgetpositionals,
    "elglob": _told("the names that its pattern matches are not followed"),
    "emptyenv": _emptyenv,
    "envfile": _envfile,
    "exec": _exec,
    "execline-cd": _cd,
    "execline-umask": _skipping(1),
    "exit": _exit,
    "export": _export,
    "fdblock": _skipping(1, "n"),
    "fdclose": _skipping(1),
    "fdmove": _fdmove,
    "fdreserve": _skipping(1),
    "fdswap": _skipping(2),
    "forbacktickx": _told("only the start tells what its block writes, and it runs its command once for each word"),
    "foreground": _foreground,
    "forstdin": _told("nothing in the image tells what it reads from standard input"),
    "forx": _loop,
    "getcwd": _getcwd,
    "getpid": _getpid,
    "heredoc": _skipping(2, "d"),
    "homeof": _told("it prints a directory and ends"),
    "if": _if,
    "ifelse": _ifelse,
    "ifte": _ifte,
    "ifthenelse": _ifthenelse,
    "importas": _importas,
    "loopwhilex": _told("it runs its command again and again until that fails"),
    "multidefine": _multidefine,
    "multisubstitute": _multisubstitute,
    "pipeline": _pipeline,
    "piperw": _skipping(2),
    "redirfd": _redirfd,
    "runblock": _told("which block of the command line it runs is not followed"),
    "s6-envdir": _envdir,
    "s6-softlimit": _softlimit,
    "trap": _trap,
    "tryexec": _tryexec,
    "umask": _skipping(1),
    "unexport": _unexport,
    "wait": _wait,
    "withstdinas": _withstdinas,
}
"""What the programs of execline do, by name, and of s6 those that are written like them."""
