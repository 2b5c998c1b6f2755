"""supervisord's configuration: whether it stays in front, and what in it makes it give up at once.

Seen with supervisor 4.2.5: what is wrong here ends it with 2 and an `Error:` line.  A program that is missing does
not: that one is FATAL in its log, and supervisord runs on.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text
from imagepeel.formats.passwd import Unreadable
from imagepeel.process.shell.patterns import pattern_regex
from imagepeel.process.wrappers.accounts import Accounts
from imagepeel.text import decimal

if TYPE_CHECKING:
    from imagepeel.process.spec.state import ProcessState
    from imagepeel.rootfs.view import Rootfs

_PLACES = (
    *(f"{top}/{name}" for top in ("/usr", "/usr/local") for name in ("etc/supervisord.conf", "supervisord.conf")),
    *("supervisord.conf", "etc/supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"),
)
"""Where it looks without -c: beside the program, in the working directory, in /etc."""
_MAX = 262_144
_MAX_FILES = 100
_VARIABLE = late(r"%\(ENV_(\w+)\)s")
_SIGN = late(r"[=:]")
_COMMENT = late(r"\s;")

Sections = dict[str, dict[str, str]]


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What a start of supervisord reads: the sections of all files, or why it ends before it reads them."""

    sections: Sections
    missing: str = ""

    @property
    def stays(self) -> bool:
        """Whether `nodaemon` keeps it in front."""
        return self.sections.get("supervisord", {}).get("nodaemon", "").lower() in ("true", "yes", "on", "1", "t", "y")


def configuration(rootfs: Rootfs, words: Sequence[str], cwd: str) -> Configuration:
    """Read the configuration that the words of supervisord name, or the one that it looks for."""
    named = _named(words)
    for path in [named] if named else _PLACES:
        body = _body(rootfs, path, cwd)
        if body is None:
            continue
        sections: Sections = {}
        _parse(body, sections)
        directory = posixpath.dirname(posixpath.join(cwd or "/", path))
        for included in _included(rootfs, sections.get("include", {}).get("files", ""), directory):
            _parse(_body(rootfs, included, "/") or "", sections)
        return Configuration(sections=sections)
    what = f"the file {named}, which supervisord is told to read, does not exist" if named else ""
    return Configuration(sections={}, missing=what or "supervisord finds no configuration")


def gives_up(rootfs: Rootfs, words: Sequence[str], state: ProcessState, *, hidden: Callable[[str], bool]) -> str:
    """Why supervisord ends at once with 2, in one sentence; "" where nothing of that kind is seen.

    A script that ran before may have written the files, and what is `hidden` lies below a volume.
    """
    files = [posixpath.join(state.cwd or "/", path) for path in ([_named(words)] if _named(words) else _PLACES)]
    if state.changed or any(map(hidden, files)) or any(word in ("-h", "--help", "-v", "--version") for word in words):
        return ""
    read = configuration(rootfs, words, state.cwd)
    if read.missing:
        return f"{read.missing}: it ends with 2"
    main = read.sections.get("supervisord")
    if main is None:
        return "the configuration of supervisord has no section [supervisord]: it ends with 2"
    unset = _unset(read.sections, state.env)
    if unset and unset not in state.hidden:
        return f"the configuration of supervisord needs the variable {unset}, which is not set: it ends with 2"
    accounts = Accounts(rootfs)
    for section, settings in read.sections.items():
        kind = section.partition(":")[0]
        if kind in ("program", "fcgi-program", "eventlistener") and "command" not in settings:
            return f"[{section}] of supervisord has no command: it ends with 2"
        user = settings.get("user", "") if kind in ("supervisord", "program", "fcgi-program", "eventlistener") else ""
        if not user or "%(" in user:
            continue
        uid = decimal(user) if user.isdigit() else accounts.uid(user)
        if uid is None and not isinstance(accounts.passwd, Unreadable):
            return f"[{section}] of supervisord names the user {user}, whom the image does not have: it ends with 2"
        if kind == "supervisord" and uid is not None and state.after.uid not in (0, uid):
            return f"supervisord runs as uid {state.after.uid} and cannot become {user}: it ends with 2"
    return ""


def _named(words: Sequence[str]) -> str:
    """The file of -c."""
    for at, word in enumerate(words):
        if word in ("-c", "--configuration"):
            return words[at + 1] if at + 1 < len(words) else ""
        if word.startswith("--configuration="):
            return word.partition("=")[2]
        if word.startswith("-c") and len(word) > 2:
            return word[2:]
    return ""


def _body(rootfs: Rootfs, path: str, cwd: str) -> str | None:
    found = rootfs.resolve(path, cwd=cwd or "/")
    if found.node is None or not found.node.is_file or found.node.size > _MAX:
        return None
    try:
        return text(rootfs.read(found.path, 0, found.node.size))
    except ImagepeelError:
        return None


def _parse(body: str, sections: Sections) -> None:
    """Add the sections of one file; a later setting replaces an earlier one."""
    section: dict[str, str] = {}
    for line in body.splitlines():
        head = re.match(r"\[([^\]]+)\]", line)
        if head is not None:
            section = sections.setdefault(head[1], {})
            continue
        sign = _SIGN.search(line)
        if sign is None or line[0] in "=:[;#" or line[0].isspace():
            continue
        value = line[sign.end() :].strip()
        comment = _COMMENT.search(value)
        section[line[: sign.start()].rstrip().lower()] = value[: comment.start()] if comment is not None else value


def _included(rootfs: Rootfs, files: str, directory: str) -> Iterator[str]:
    """The files that `files` of [include] names, with patterns in their last part."""
    for word in files.replace("%(here)s", directory).split()[:_MAX_FILES]:
        top, last = posixpath.split(posixpath.normpath(posixpath.join(directory, word)))
        compiled = pattern_regex([(last, False)])
        found = rootfs.resolve(top)
        if compiled is None or found.node is None or not found.node.is_dir:
            continue
        # In the order of their bytes, which is that of characters, too.
        names = filter(compiled.fullmatch, map(text, rootfs.names(found.path)))
        yield from (posixpath.join(top, name) for name in islice(names, _MAX_FILES))


def _unset(sections: Sections, env: Mapping[str, str]) -> str:
    """The first variable that a setting needs and the environment does not have."""
    known = {*env, *re.findall(r"\b(\w+)=", sections.get("supervisord", {}).get("environment", ""))}
    asked = (name for settings in sections.values() for value in settings.values() for name in _VARIABLE.findall(value))
    return next((name for name in asked if name not in known), "")
