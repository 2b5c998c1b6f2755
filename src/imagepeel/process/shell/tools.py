"""Tools that scripts start before the program, where the image proves how they end: mkdir, cp, chown and the like.

Measured: coreutils 9.1, grep 3.8 and sed 4.9 in the C locale, and busybox 1.35, as Debian builds them.  Only calls with
plain options and operands are judged; for every other call nothing is said.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from imagepeel._lazy import late
from imagepeel.process.shell.made import Made, altered
from imagepeel.process.shell.tool_files import Files
from imagepeel.process.spec.access import READ, permits
from imagepeel.rootfs.tree.inode import Inode, Node
from imagepeel.tables import ERRNO_LIBC, ErrnoName
from imagepeel.text import decimal

Family = Literal["gnu", "busybox"]
"""Whose tool it is: coreutils, grep and sed of GNU, or an applet."""


class Judged(msgspec.Struct, frozen=True):
    """How a call ends: its exit code, its words, and whether it changes anything."""

    code: int = 0
    words: str = ""
    changes: bool = False
    made: Made | None = None
    """What it makes, changes or removes, where all of that is known."""
    loader: bool = False
    """It is the loader that gives up, whatever the call."""


_DONE = Judged(0, "", True)
_IDLE = Judged()
Answer = Judged | None


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool."""

    name: str
    options: frozenset[str]
    values: dict[str, str]
    words: tuple[str, ...]
    family: Family
    files: Files

    def fails(self, plain: str, busy: str = "", *, code: int = 1) -> Judged:
        """The exit code and the words, in each family's form."""
        return Judged(code, f"{self.name}: {(busy or plain) if self.family == 'busybox' else plain}", False)

    def says(self, plain: str, busy: str, errno: ErrnoName, *, code: int = 1) -> Judged:
        """The same for an errno."""
        end = f": {ERRNO_LIBC[errno]}"
        return self.fails(plain + end, busy + end, code=code)


class _Tool(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls of a tool are judged, and by what.

    `flags` are the options that change nothing here, `valued` those with a value; `least` and `most` count the
    operands.  The judge of a tool that does the same to `each` operand gets them one by one, behind the first `shared`.
    """

    judge: Callable[[_Call], Answer]
    flags: str = ""
    valued: str = ""
    least: int = 1
    most: int = 1
    each: bool = False
    shared: int = 0
    only: Family | Literal[""] = ""
    """The family that has it, or whose other calls are judged; "" for both."""


def judged(argv: Sequence[str], family: Family, files: Files, *, utf8: bool) -> Judged | None:
    """Return how a call ends, where that follows from the image; None for every other call.

    `utf8` tells of a locale in which mkdir of coreutils has quotes of another kind.
    """
    name = argv[0].rsplit("/", 1)[-1]
    tool = _TOOLS.get(name)
    if tool is None or (tool.only and tool.only != family):
        return None
    read = _options(argv[1:], tool)
    if read is None:
        return None
    options, values, words = read
    most = 50 if tool.each else tool.most
    if not tool.least <= len(words) <= most or not all(words):
        return None
    call = _Call(name=name, options=options, values=values, words=words, family=family, files=files)
    if not tool.each:
        found = _taken(tool.judge(call), files)
    else:
        calls = [(*words[: tool.shared], word) for word in words[tool.shared :]]
        found = _all([_taken(tool.judge(msgspec.structs.replace(call, words=one)), files) for one in calls])
    quotes = utf8 and family == "gnu" and found is not None and "'" in found.words and name in _QUOTES
    return None if quotes else found


def _options(words: Sequence[str], tool: _Tool) -> tuple[frozenset[str], dict[str, str], tuple[str, ...]] | None:
    """The letters, the values and the operands of a call; None where an option is not known."""
    letters: set[str] = set()
    values: dict[str, str] = {}
    operands: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if len(word) < 2 or word[0] != "-":
            operands.append(word)
            continue
        for at, letter in enumerate(word[1:], 1):
            if letter in tool.valued:
                value = word[at + 1 :] or (rest.pop(0) if rest else "")
                if not value:
                    return None
                values[letter] = value
                break
            if letter not in tool.flags:
                return None
            letters.add(letter)
    return frozenset(letters), values, tuple(operands)


def _taken(found: Answer, files: Files) -> Answer:
    """The answer with what it made by path without links; the next one starts from there."""
    if found is None or not found.made:
        return found
    return msgspec.structs.replace(found, made=files.take(found.made))


def _makes(made: Made) -> Judged:
    return Judged(0, "", True, made)


def _new(call: _Call, kind: Literal["file", "dir"], mode: int) -> Node:
    """What a call makes that was not there."""
    return Inode(kind, mode, call.files.actor.uid, call.files.actor.gid)


def _new_file(call: _Call, mode: int = 0o666) -> Node:
    return _new(call, "file", mode & 0o777 & ~call.files.umask)


def _octal(mode: str) -> int | None:
    return int(mode, 8) if _NUMBER.fullmatch(mode) else None


def _all(found: Sequence[Answer]) -> Answer:
    """How a call ends that does the same to several operands: it goes on behind one that fails."""
    known = [one for one in found if one is not None]
    if len(known) < len(found) or not known:
        return None
    words = "\n".join(one.words for one in known if one.words)
    changed = [one.made for one in known if one.changes]
    told = [made for made in changed if made is not None]
    made = {path: node for one in told for path, node in one.items()} if len(told) == len(changed) else None
    return Judged(max(one.code for one in known), words, bool(changed), made)


def _mkdir(call: _Call) -> Answer:
    whole = call.words[0].rstrip("/") or "/"
    if "m" in call.values and not _MODE.fullmatch(call.values["m"]):
        return None
    places = [whole]
    usual = 0o777 & ~call.files.umask
    own = _octal(call.values["m"]) if "m" in call.values else usual
    if "p" in call.options:
        cuts = [at for at, char in enumerate(whole) if char == "/" and at]
        places = [*(whole[:at] for at in cuts[:100]), whole]
    for path in places:
        seen = call.files.look(path)
        if seen is None:
            return None
        if seen.node is not None:
            if "p" in call.options and seen.node.is_dir:
                continue
            errno: ErrnoName | None = "EEXIST" if path is whole else "ENOTDIR"
        else:
            errno = call.files.enter_name(path)
        shown = path if path is whole else f"{path}/"
        plain, busy = f"cannot create directory '{path}'", f"can't create directory '{shown}'"
        if errno:
            return call.says(plain, busy, errno)
        if errno is None or own is None:
            return _DONE if errno == "" else None
        parents = usual | 0o300
        made = {one: _new(call, "dir", own if one is whole else parents) for one in places[places.index(path) :]}
        return _makes(made)
    return _IDLE


def _touch(call: _Call) -> Answer:
    path = call.words[0]
    seen = call.files.look(path)
    if seen is None or (seen.node is not None and seen.node.is_dir):
        return None
    errno = call.files.create(path)
    if seen.node is not None and seen.node.uid == call.files.actor.uid and errno == "EACCES":
        return _IDLE
    if errno:
        return call.says(f"cannot touch '{path}'", path, errno)
    made = seen.node if seen.node is not None else _new_file(call)
    return _makes({path: made}) if errno == "" else None


def _target(call: _Call) -> str | None:
    """Where the last word leads: itself, or a name below the directory that it is."""
    source, target = call.words
    seen = call.files.look(target)
    if seen is None:
        return None
    if seen.node is not None and seen.node.is_dir:
        return f"{target.rstrip('/')}/{posixpath.basename(source.rstrip('/'))}"
    return target


def _no_source(call: _Call, errno: ErrnoName, does: str) -> Answer:
    """What cp and mv say of a first word that leads nowhere; busybox names what it `does`."""
    source = call.words[0]
    return call.says(f"cannot stat '{source}'", f"can't {does} '{source}'", errno) if errno else None


def _cp(call: _Call) -> Answer:
    source = call.words[0]
    seen, target = call.files.look(source), _target(call)
    if seen is None or target is None:
        return None
    if seen.node is None:
        return _no_source(call, seen.errno, "stat")
    if not seen.node.is_file:
        return None
    if not permits(seen.node, call.files.actor, READ):
        return call.says(f"cannot open '{source}' for reading", f"can't open '{source}'", "EACCES")
    errno = call.files.create(target)
    if errno == "":
        there = call.files.look(target)
        if "p" in call.options or there is None:
            return _DONE
        return _makes({target: there.node or _new_file(call, seen.node.mode)})
    if errno == "EISDIR" or errno is None or "f" in call.options:
        return None
    return call.says(f"cannot create regular file '{target}'", f"can't create '{target}'", errno)


def _mv(call: _Call) -> Answer:
    source = call.words[0]
    seen, target = call.files.look(source), _target(call)
    if seen is None or target is None:
        return None
    if seen.node is None:
        return _no_source(call, seen.errno, "rename")
    leave, come = call.files.enter_name(source), call.files.enter_name(target)
    if not seen.node.is_file or leave is None or come is None:
        return None
    if not (leave or come):
        there = call.files.look(target)
        if there is None or (there.node is not None and not there.node.is_file):
            return None
        return _makes({source: None, target: seen.node})
    return call.says(f"cannot move '{source}' to '{target}'", f"can't rename '{source}'", leave or come)


def _ln(call: _Call) -> Answer:
    if "s" not in call.options:
        return None
    target = call.words[1]
    seen = call.files.look(target)
    if seen is None or (seen.node is not None and seen.node.is_dir):
        return None
    if seen.node is not None and "f" in call.options:
        return _DONE if call.files.enter_name(target) == "" else None
    errno: ErrnoName | None = "EEXIST" if seen.node is not None else call.files.enter_name(target)
    if errno:
        return call.says(f"failed to create symbolic link '{target}'", target, errno)
    return _DONE if errno == "" else None


def _rm(call: _Call) -> Answer:
    path = call.words[0]
    seen = call.files.look(path)
    if seen is None:
        return None
    if seen.node is None:
        errno: ErrnoName | None = "" if "f" in call.options else seen.errno
        if call.files.own_kernel and seen.errno == "ENOENT" and call.files.enter_name(path) == "EACCES":
            errno = "EACCES"
        if errno == "":
            return _IDLE
    else:
        tree = seen.node.is_dir and bool(call.options & {"r", "R"})
        if not seen.node.is_file and not (tree and (call.files.actor.override or call.files.names(path) == [])):
            return None
        errno = call.files.enter_name(path)
    if errno:
        return call.says(f"cannot remove '{path}'", f"can't remove '{path}'", errno)
    return _makes({path: None}) if errno == "" else None


def _chmod(call: _Call) -> Answer:
    mode, path = call.words
    seen = call.files.look(path)
    if seen is None:
        return None
    if seen.node is None:
        return call.says(f"cannot access '{path}'", path, seen.errno) if seen.errno else None
    actor = call.files.actor
    if "R" in call.options and seen.node.is_dir and "FOWNER" not in actor.capabilities:
        return None
    if "FOWNER" in actor.capabilities or seen.node.uid == actor.uid:
        number = None if seen.node.is_dir and not call.files.is_new(path) else _octal(mode)
        if number is None or "R" in call.options:
            return _DONE if _MODE.fullmatch(mode) else None
        return _makes({path: altered(seen.node, mode=number)})
    return call.says(f"changing permissions of '{path}'", path, "EPERM")


def _no_owner(call: _Call, spec: str) -> Answer:
    """What is said of an owner that the image does not have; None where it has that one, or where it is not clear."""
    user, colon, group = spec.partition(":")
    lacks = {
        "user": bool(user) and not user.isdigit() and call.files.id_of(user, group=False) is None,
        "group": bool(group) and not group.isdigit() and call.files.id_of(group, group=True) is None,
    }
    which = next((kind for kind, missing in lacks.items() if missing), "")
    if not which:
        return None
    if colon and user:
        return call.fails(f"invalid {which}: '{spec}'", f"unknown user/group {spec}")
    return call.fails(f"invalid {which}: '{spec}'", f"unknown {which} {spec.strip(':')}")


def _chown(call: _Call) -> Answer:
    spec, path = call.words
    if not re.fullmatch(r"[A-Za-z0-9_-]*+(?::[A-Za-z0-9_-]*)?", spec) or spec.endswith(":"):
        return None
    missing = _no_owner(call, spec)
    if missing is not None:
        return missing
    owner, _, group = spec.partition(":")
    seen = call.files.look(path)
    if seen is None:
        return None
    if seen.node is None:
        return call.says(f"cannot access '{path}'", path, seen.errno) if seen.errno else None
    actor = call.files.actor
    uid, gid = _number(call.files, owner, group=False), _number(call.files, group, group=True)
    if -1 in (uid, gid) or (uid, gid) == (None, None):
        return _DONE if "CHOWN" in actor.capabilities else None
    own = seen.node.uid == actor.uid and uid in (None, actor.uid) and (gid is None or gid in {actor.gid, *actor.groups})
    if own or "CHOWN" in actor.capabilities:
        if "h" in call.options or (seen.node.is_dir and ("R" in call.options or not call.files.is_new(path))):
            return _DONE if "CHOWN" in actor.capabilities else None
        return _makes({path: altered(seen.node, uid=uid, gid=gid)})
    if "h" in call.options or ("R" in call.options and seen.node.is_dir and call.files.names(path) != []):
        return None  # a link is not looked at, and what is inside fails first
    which = "ownership" if owner else "group"
    return call.says(f"changing {which} of '{path}'", path, "EPERM")


def _chgrp(call: _Call) -> Answer:
    group, path = call.words
    return _chown(msgspec.structs.replace(call, words=(f":{group}", path))) if ":" not in group else None


def _number(files: Files, name: str, *, group: bool) -> int | None:
    """The id of a name or a number, None where nothing is given, -1 where it cannot be told."""
    if not name:
        return None
    told = decimal(name)
    found = files.id_of(name, group=group) if told is None else told
    return -1 if found is None else found


def asks_too_much(argv: Sequence[str], files: Files) -> bool:
    """Whether chown, chgrp or install is to give files to somebody else, and its user may not give any away."""
    name, actor = argv[0].rsplit("/", 1)[-1], files.actor
    if name not in ("chown", "chgrp", "install") or "CHOWN" in actor.capabilities:
        return False
    operands = [word for word in argv[1:] if not word.startswith("-")]
    owner, _, group = operands[0].partition(":") if operands and name != "install" else ("", "", "")
    if name == "chgrp":
        owner, group = "", owner
    for letter, value in pairwise(argv):
        if name == "install" and letter in ("-o", "-g"):
            owner, group = (value, group) if letter == "-o" else (owner, value)
    uid, gid = _number(files, owner, group=False), _number(files, group, group=True)
    if "?" in owner + group or "..." in owner:
        return False
    return uid not in (None, actor.uid) or gid not in (None, actor.gid, *actor.groups)


def _tee(call: _Call) -> Answer:
    path = call.words[0]
    errno = call.files.create(path)
    if errno:
        return call.says(path, path, errno)
    seen = call.files.look(path) if errno == "" else None
    if seen is None or (seen.node is not None and not seen.node.is_file):
        return _DONE if errno == "" else None
    return _makes({path: seen.node or _new_file(call)})


def _rmdir(call: _Call) -> Answer:
    path = call.words[0].rstrip("/") or "/"
    seen, names = call.files.look(path), call.files.names(path)
    if seen is None or names is None:
        return None
    errno: ErrnoName | None = seen.errno or ("" if names else call.files.enter_name(path))
    if errno is None or names or (seen.node is not None and not seen.node.is_dir):
        return None
    return call.says(f"failed to remove '{path}'", f"'{path}'", errno) if errno else _makes({path: None})


def _cat(call: _Call) -> Answer:
    path = call.words[0]
    seen = call.files.look(path)
    if seen is None:
        return None
    errno = seen.errno
    if seen.node is not None and not permits(seen.node, call.files.actor, READ):
        errno = "EACCES"
    if not errno:
        return _IDLE if seen.node is not None and seen.node.is_file else None
    return call.says(path, f"can't open '{path}'", errno)


def _install(call: _Call) -> Answer:
    """install of coreutils: directories with -d, or one file."""
    for letter, kind in (("o", "user"), ("g", "group")):
        name = call.values.get(letter, "")
        if name and not name.isdigit() and call.files.id_of(name, group=kind == "group") is None:
            return call.fails(f"invalid {kind} '{name}'")
    if "m" in call.values and not _MODE.fullmatch(call.values["m"]):
        return None
    if "d" in call.options:
        return _all([_install_directory(call, word.rstrip("/") or "/") for word in call.words])
    if len(call.words) != 2 or "D" in call.options:
        return None
    made = _cp(msgspec.structs.replace(call, options=frozenset()))
    if made is None or made.code:
        return made
    target = _target(call)
    there = call.files.look(target or "")
    if there is None or call.files.enter_name(target or "") != "":
        return None  # an existing file is removed first
    if call.values.keys() & {"o", "g"} and not _may_give(call):
        return call.says(f"cannot change ownership of '{target}'", "", "EPERM")
    return made


def _may_give(call: _Call) -> bool:
    """Whether the owner that is asked for is the actor itself, or the actor may choose."""
    actor = call.files.actor
    if "CHOWN" in actor.capabilities:
        return True
    wanted = call.values.get("o", "")
    uid = decimal(wanted)
    uid = call.files.id_of(wanted, group=False) if uid is None else uid
    return "g" not in call.values and uid == actor.uid


def _install_directory(call: _Call, path: str) -> Answer:
    seen = call.files.look(path)
    actor = call.files.actor
    if seen is None:
        return None
    if seen.node is not None:
        if not seen.node.is_dir:
            return call.says(f"cannot create directory '{path}'", "", "EEXIST")
        if seen.node.uid == actor.uid or "FOWNER" in actor.capabilities:
            return None if call.values.keys() & {"o", "g"} and not _may_give(call) else _DONE
        if call.values.keys() & {"o", "g"}:
            return None
        return call.says(f"cannot change permissions of '{path}'", "", "EPERM")
    cuts = [at for at, char in enumerate(path) if char == "/" and at]
    for place in [*(path[:at] for at in cuts[:100]), path]:
        there = call.files.look(place)
        if there is None or (there.node is not None and not there.node.is_dir):
            return None
        if there.node is not None:
            continue
        errno = call.files.enter_name(place)
        if errno is None:
            return None
        if errno and place is not path:
            return call.says(f"cannot create directory '{place}'", "", errno)
        if errno:  # it goes on to set the mode of what it could not make
            return call.says(f"cannot change permissions of '{path}'", "", "ENOENT") if errno == "EACCES" else None
        break
    if call.values.keys() & {"o", "g"} and not _may_give(call):
        return call.says(f"cannot change owner and permissions of '{path}'", "", "EPERM")
    return _DONE


def _unreadable(call: _Call, path: str) -> ErrnoName | None:
    """Why the actor cannot read a file, "" where it can; None where that is not known, or it is no plain file."""
    seen = call.files.look(path)
    if seen is None or (seen.node is not None and not seen.node.is_file):
        return None
    if seen.node is not None and not permits(seen.node, call.files.actor, READ):
        return "EACCES"
    return seen.errno


def _grep(call: _Call) -> Answer:
    """A pattern that is plain text, in one file."""
    pattern, path = call.words
    if not pattern or any(char in pattern for char in "\n\\[]*.^$?+{}|()"):
        return None
    errno = _unreadable(call, path)
    if errno is None:
        return None
    if errno:
        return Judged(2) if "s" in call.options else call.says(path, path, errno, code=2)
    body = call.files.text(path)
    if body is None:
        return None
    lines = body.split("\n")
    found = any(pattern == line if "x" in call.options else pattern in line for line in lines)
    return Judged(0 if found else 1)


_PLAIN_EDIT = late(r"s([/|,#:@])(?:(?!\1)[A-Za-z0-9 _./:=-])*+\1(?:(?!\1)[A-Za-z0-9 _./:=-])*+\1g?")
"""A substitution whose script is sound whatever it meets; the sign that parts it does not stand inside."""


def _sed(call: _Call) -> Answer:
    edit, path = (call.values["e"], call.words[0]) if "e" in call.values else call.words[-2:]
    if len(call.words) != 2 - ("e" in call.values) or not _PLAIN_EDIT.fullmatch(edit):
        return None
    if edit.count(edit[1]) != 3:
        return None
    errno = _unreadable(call, path)
    if errno is None:
        return None
    code = 1 if call.family == "busybox" else 2
    if errno:
        return call.says(f"can't read {path}", path, errno, code=code)
    if "i" not in call.options:
        return _IDLE
    may = call.files.enter_name(path)
    if not may:
        return _DONE if may == "" else None
    if call.family == "busybox":
        return call.says("", f"can't create temp file '{path}XXXXXX'", may)
    directory = posixpath.dirname(path) or "."
    return call.says(f"couldn't open temporary file {directory.rstrip('/')}/sedXXXXXX", "", may, code=4)


def _id(call: _Call) -> Answer:
    if len(call.options & {"u", "g", "G"}) > 1 or (not call.words and call.options <= {"n"}):
        return None
    if not call.words:
        return _IDLE if "n" not in call.options else None
    name = call.words[0]
    if name.isdigit() or call.files.id_of(name, group=False) is not None:
        return None if name.isdigit() else _IDLE
    return call.fails(f"'{name}': no such user", f"unknown user {name}")


_MODE = late(r"0?[0-7]{3,4}|[ugoa]*[-+=][rwxX]+(,[ugoa]*[-+=][rwxX]+)*")
_NUMBER = late(r"0?[0-7]{3,4}")
_QUOTES = frozenset(("mkdir", "touch", "cp", "mv", "ln", "rm", "rmdir", "chgrp", "chmod", "chown", "install", "id"))
"""Tools of coreutils whose words have quotes, which another locale may turn into curly ones."""
_TOOLS: dict[str, _Tool] = {
    "mkdir": _Tool(judge=_mkdir, flags="pv", valued="m", each=True),
    "touch": _Tool(judge=_touch, each=True),
    "cp": _Tool(judge=_cp, flags="pvf", least=2, most=2),
    "mv": _Tool(judge=_mv, flags="vf", least=2, most=2),
    "ln": _Tool(judge=_ln, flags="sfnv", least=2, most=2),
    "rm": _Tool(judge=_rm, flags="fvrR", each=True),
    "rmdir": _Tool(judge=_rmdir, each=True),
    "chmod": _Tool(judge=_chmod, flags="Rv", least=2, each=True, shared=1),
    "chown": _Tool(judge=_chown, flags="Rhv", least=2, each=True, shared=1),
    "chgrp": _Tool(judge=_chgrp, flags="Rhv", least=2, each=True, shared=1),
    "tee": _Tool(judge=_tee, flags="a"),
    "cat": _Tool(judge=_cat, each=True),
    "install": _Tool(judge=_install, flags="dDvp", valued="mog", most=20, only="gnu"),
    "grep": _Tool(judge=_grep, flags="qsxF", least=2, most=2),
    "sed": _Tool(judge=_sed, flags="i", valued="e", most=2),
    "id": _Tool(judge=_id, flags="ugnG", least=0),
}
JUDGED = frozenset(_TOOLS)
"""The names of the tools that are judged."""
