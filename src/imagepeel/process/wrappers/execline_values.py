"""The programs of execline that start no child: descriptors, directory, variables and values (2.9.3, each one run)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from imagepeel._lazy import late
from imagepeel.process.spec.failure import Failure
from imagepeel.process.wrappers.execline_words import (
    MAX_OUT,
    Called,
    Does,
    NotFollowed,
    Run,
    block_of,
    fails,
    goes_on,
    hidden,
    needs_rest,
    options_of,
    substituted_all,
    taken,
    wrapped,
)
from imagepeel.tables import ERRNO_LIBC, ErrnoName
from imagepeel.text import decimal

# -- descriptors ---------------------------------------------------------------------------------------------

_ALWAYS = frozenset(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
"""Devices of every container that everybody may open."""


def redirfd(call: Called) -> Does:
    options, words = taken(call, "rwuaxnb")
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


def skipping(operands: int, known: str = "") -> Run:
    """A program that changes nothing that is looked at here."""

    def run(call: Called) -> Does:
        return needs_rest(call, taken(call, known)[1][operands:])

    return run


def softlimit(call: Called) -> Does:
    options, rest = options_of(call.words, "acdflmnoprst")
    if not options.keys() <= set("acdflmnoprst") or any(decimal(value) is None for value in options.values()):
        raise NotFollowed("only soft limits in numbers are followed")
    return needs_rest(call, rest)


def fdmove(call: Called) -> Does:
    _, words = taken(call, "c")
    if len(words) < 3 or any(decimal(word) is None for word in words[:2]):
        return None
    if int(words[1]) > 2:
        raise NotFollowed(f"whether descriptor {words[1]} is open is not followed")
    return wrapped(call.name, words[2:])


def withstdinas(call: Called) -> Does:
    options, words = taken(call, "iInNEe", "D")
    if not words:
        return None
    if "E" in options:
        raise NotFollowed("nothing in the image tells what it reads from standard input")
    return goes_on(call, words[1:], hidden=hidden(words[0]))


def wait(call: Called) -> Does:
    _, words = taken(call, "aIoi", "t")
    return goes_on(call, block_of(words)[1])


# -- the state of the process --------------------------------------------------------------------------------


def execs(call: Called) -> Does:
    options, rest = options_of(call.words, "a")
    if not rest:
        return None
    given = options.get("a") or rest[0]
    argv0 = f"-{given}" if "l" in options else options.get("a", "")
    return wrapped("exec", rest, env_clear="c" in options, argv0=argv0)


def cd(call: Called) -> Does:
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


def export(call: Called) -> Does:
    words = call.words
    return wrapped("export", words[2:], env={words[0]: words[1]}) if len(words) > 2 else None


def unexport(call: Called) -> Does:
    words = call.words
    return wrapped("unexport", words[1:], env={words[0]: None}) if len(words) > 1 else None


def emptyenv(call: Called) -> Does:
    options, rest = taken(call, "pcoP")
    if not rest:
        return None
    if options.keys() & set("coP"):
        own = [name for name in call.state.env if name == "#" or name.isdigit()]
        return wrapped("emptyenv", rest, env=dict.fromkeys(own) if "P" in options or "c" in options else {})
    path = call.state.env.get("PATH")
    kept: dict[str, str | None] = {"PATH": path} if "p" in options and path is not None else {}
    return wrapped("emptyenv", rest, env_clear=True, env=kept)


_LINE = late(r'[ \t]*([A-Za-z_][A-Za-z0-9_]{0,200})[ \t]*=[ \t]*(?:"([^"\\]*+)"|([^"\\\']*?))[ \t]*')


def envfile(call: Called) -> Does:
    options, words = taken(call, "iI")
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


def envdir(call: Called) -> Does:
    options, words = taken(call, "iI")
    if len(words) < 2:
        return None
    path, rest = words[0], words[1:]
    image, cwd = call.image, call.state.cwd
    there = image.test("d", path, cwd)
    if there is None or call.state.changed:
        raise NotFollowed(f"what {path} holds is not known")
    errno: ErrnoName = "" if there else "ENOTDIR" if image.test("e", path, cwd) else "ENOENT"
    if errno == "ENOENT" and "I" in options:
        return wrapped(call.name, rest)
    if not errno and not image.test("r", path, cwd):
        errno = "EACCES"
    if errno:
        said = f"s6-envdir: fatal: unable to envdir {path}: {ERRNO_LIBC[errno]}"
        return fails(said, 111, f"{path} is no directory that it can read", f"add the directory {path} to the image")
    env: dict[str, str | None] = {}
    for name in image.names(path, cwd) or ():
        read = image.read(f"{path}/{name}", cwd)
        if read is None or read[1]:
            raise NotFollowed(f"what {path}/{name} holds is not known")
        first = read[0].split("\n", 1)[0].rstrip(" \t").replace("\0", "\n")
        env[name] = first if read[0] else None
    return wrapped(call.name, rest, env={name: value for name, value in env.items() if not name.startswith(".")})


def getpid(call: Called) -> Does:
    options, words = taken(call, "EePp")
    if len(words) < 2 or not call.state.first or options.keys() & set("Pp"):
        raise NotFollowed("the number of its process is not known")
    return _binds(call, words, "1", imports="E" in options)


def getcwd(call: Called) -> Does:
    options, words = taken(call, "Ee")
    if len(words) < 2:
        return None
    return _binds(call, words, call.state.cwd, imports="E" in options)


def _binds(call: Called, words: list[str], value: str, *, imports: bool) -> Does:
    if imports:
        return goes_on(call, substituted_all(words[1:], {words[0]: [value]}))
    return wrapped(call.name, words[1:], env={words[0]: value})


def exits(call: Called) -> Does:
    told = decimal(call.words[0]) if call.words else 0
    if told is None or told > 255:
        raise NotFollowed("its word is no exit code")
    if told:
        return fails("", told, f"the script ends with `exit {told}`", "correct the script")
    return wrapped("exit", (), kind="none", why="the script ends with exit")


# -- values -------------------------------------------------------------------------------------------------

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


def define(call: Called) -> Does:
    options, words = taken(call, _OF_VALUES, "d")
    if len(words) < 2:
        return None
    return goes_on(call, substituted_all(words[2:], {words[0]: _split(words[1], options)}))


def importas(call: Called) -> Does:
    """`importas [-u] [-i] [-D DEFAULT] NAME VARIABLE`: the rest of the line with the variable's value."""
    options, words = taken(call, _OF_VALUES + "ui", "dD")
    if len(words) < 2:
        return None
    values = _imported(call, options, words[1])
    if isinstance(values, Failure):
        return values
    changes: dict[str, str | None] = {words[1]: None} if "u" in options else {}
    return goes_on(call, substituted_all(words[2:], {words[0]: values}), env=changes)


def multisubstitute(call: Called) -> Does:
    block, rest = block_of(call.words)
    values: dict[str, Sequence[str]] = {}
    changes: dict[str, str | None] = {}
    while block:
        kind = block[0]
        if kind not in ("define", "importas"):
            raise NotFollowed(f"its directive {kind} is not followed")
        inner = msgspec.structs.replace(call, words=block[1:])
        options, block = taken(inner, _OF_VALUES + "ui", "dD")
        if len(block) < 2:
            raise NotFollowed(f"its directive {kind} has not all its words")
        found = _split(block[1], options) if kind == "define" else _imported(call, options, block[1])
        if isinstance(found, Failure):
            return found
        values[block[0]] = found
        if "u" in options:
            changes[block[1]] = None
        block = block[2:]
    return goes_on(call, substituted_all(rest, values), env=changes)


def multidefine(call: Called) -> Does:
    options, words = taken(call, "nNCc", "d")
    if not words:
        return None
    names, rest = block_of(words[1:])
    found = _split(words[0], {**options, "s": ""})
    padded = [*found, *[""] * len(names)]
    return goes_on(
        call, substituted_all(rest, {name: [value] for name, value in zip(names, padded, strict=False) if name})
    )


def elgetpositionals(call: Called) -> Does:
    options, words = taken(call, "", "P")
    env, least = call.state.env, decimal(options.get("P", "0"))
    count = decimal(env.get("#", ""))
    if count is None or least is None or max(count, least) > MAX_OUT:
        raise NotFollowed("the positional parameters are not known")
    given = [env.get(str(number), "") for number in range(1, count + 1)]
    values: dict[str, Sequence[str]] = {str(number): [""] for number in range(1, least + 1)}
    values |= {str(number): [word] for number, word in enumerate(given, 1)}
    return goes_on(call, substituted_all(words, {**values, "#": [str(count)], "0": [env.get("0", "")], "@": given}))
