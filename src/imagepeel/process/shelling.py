"""What a shell meets in the image: `ImageOfShell` answers its walk for one process of a start."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import raw, text
from imagepeel.formats.passwd import Unreadable
from imagepeel.process.engines.mounts import mounts
from imagepeel.process.shell import interpreters, tools
from imagepeel.process.shell.interpreters import Invocation, Search, Shell, StartError
from imagepeel.process.shell.made import Made, altered, names_in, within
from imagepeel.process.shell.outcome import ScriptOutcome, classify
from imagepeel.process.shell.scope import Unknown, Value
from imagepeel.process.simulation import Simulation
from imagepeel.process.spec import trace
from imagepeel.process.spec.access import EXECUTE, READ, WRITE, Actor, PathAccess, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.wrappers.accounts import Accounts
from imagepeel.process.wrappers.programs import USER_SHELL, Wrapped, unwrap
from imagepeel.rootfs.tree.inode import Inode
from imagepeel.tables import ErrnoName

if TYPE_CHECKING:
    from imagepeel.process.kernel.execve import ExecveResult
    from imagepeel.process.spec.state import ProcessState
    from imagepeel.rootfs.view import Rootfs

_REFUSALS = {"ENOENT", "EACCES", "EISDIR"}
_KNOWN = {"", "ENOENT", "EACCES", "ENOTDIR"}
"""Errors of a path that shells word as their tables here have it."""


class _FilesOf:
    """The image as a tool meets it that a shell starts in a directory."""

    def __init__(self, image: ImageOfShell, actor: Actor, cwd: str) -> None:
        self.actor = actor
        self.own_kernel = image.sim.scenario.runtime.kernel.own
        self.umask = image.umask
        self._image = image.of(actor)
        self._cwd = cwd

    def look(self, path: str) -> PathAccess | None:
        return self._image.look(path, self._cwd)

    def take(self, made: Made) -> Made:
        """Go on with what a call made; the same by path without links."""
        placed = {self._image.place(path, self._cwd): node for path, node in made.items()}
        self._image = self._image.over({**self._image.made, **placed}, True, self.umask)
        return placed

    def is_new(self, path: str) -> bool:
        return self._image.is_new(path, self._cwd)

    def create(self, path: str) -> ErrnoName | None:
        return self._image.create(path, self._cwd)

    def enter_name(self, path: str) -> ErrnoName | None:
        return self._image.enter_name(path, self._cwd)

    def names(self, path: str) -> list[str] | None:
        return self._image.names(path, self._cwd)

    def text(self, path: str) -> str | None:
        found = self._image.read(path, self._cwd)
        return None if found is None or found[1] else found[0]

    def id_of(self, name: str, *, group: bool) -> int | None:
        return self._image.id_of(name, group=group)


_MAX_CHILDREN = 60
"""Scripts that are followed as children of the scripts of one start."""
_MAX_DEPTH = 4
_EXECUTED = frozenset(("cat", "grep", "sed", "tee"))
"""Applets that a shell of busybox executes anew, where it runs mkdir, rm and others in a process of its own (1.35)."""
_MAX_LOOKS = 100_000
"""Directories of PATH that are looked into for the commands of one start: PATH may be long, and a script name many."""
_MAX_LISTED = 50_000
"""Names of directories that wildcards and lists of one start are compared with."""
_MAX_PARTS = 200
"""Parts of a path that are looked at."""


class _Children:
    """How many scripts have been followed as children so far, how deep this one is, and what all of them cost."""

    def __init__(self) -> None:
        self.count = 0
        self.depth = 0
        self.looks = 0
        """Directories of PATH that were looked into."""
        self.listed = 0
        """Names of directories that were listed."""


class ImageOfShell:
    """The image as the process of one shell meets it (`shell.image.ShellImage`)."""

    def __init__(
        self,
        sim: Simulation,
        shell: Shell,
        chain: ExecveResult,
        state: ProcessState,
        children: _Children | None = None,
    ) -> None:
        self.sim = sim
        self._shell = shell
        self._chain = chain
        self.state = state
        self.refused: dict[tuple[str, str | None, str], Search | None] = {}
        self.searched: dict[tuple[str, str | None, str, str], Search | None] = {}
        self._listings: dict[bytes, list[str] | None] = {}
        self._hidden: dict[str, bool | None] = {}
        self._accounts: Accounts | None = None
        self._children = children or _Children()
        self.made: Made = {}
        self.exact = True
        self.umask = 0o022
        covered = [mount.destination for mount in mounts(sim.scenario.engine)]
        covered += [*sim.scenario.wanted.volumes, *sim.scenario.engine.injected]
        covered += [volume.path for volume in sim.scenario.mounted if not volume.empty]
        self._covered = tuple(top.rstrip("/") for top in covered)

    def hides(self, path: str) -> bool:
        """A mount or a volume covers the path."""
        self.sim.scenario.note(path)
        return any(path == top or path.startswith(top + "/") for top in self._covered)

    def is_made(self, path: str) -> bool:
        """Whether the path lies in a mount or a volume, or the engine makes a directory of it to mount below."""
        return self.hides(path) or any(top.startswith(f"{path.rstrip('/')}/") for top in self._covered)

    def test(self, operator: str, path: str, cwd: str) -> bool | None:
        """`test -OPERATOR PATH` in the image; None where a mount or a volume covers the path."""
        if self.hides(posixpath.normpath(posixpath.join(cwd or self.state.cwd, path))):
            return None
        actor, place = self.state.after, self.place(path, cwd) if self.made else ""
        if operator in {"h", "L"}:
            if place in self.made:
                return False if self.exact else None
            node = self.sim.rootfs.resolve(path, cwd=cwd or self.state.cwd, follow=False).node
            return node is not None and node.is_symlink
        seen = self._look(path, cwd)
        if seen is None:
            return None
        if seen.errno or seen.node is None:
            return False
        node = seen.node
        simple = {"e": True, "f": node.is_file, "d": node.is_dir, "s": node.size > 0, "p": node.kind == "fifo"}
        if operator in simple:
            return None if operator == "s" and (node.is_dir or place in self.made) else simple[operator]
        wanted = {"r": READ, "w": WRITE, "x": EXECUTE}.get(operator)
        return None if wanted is None else permits(node, actor, wanted)

    def startup(self, groups: Sequence[Sequence[str]]) -> list[str]:
        """Of each group of start-up files the first that the shell can read."""
        found = []
        for group in groups:
            answers = ((path, self.read(path, "")) for path in group)
            first = next((path for path, answer in answers if answer is None or not answer[1]), None)
            if first is not None:
                found.append(first)
        return found

    def _look(self, path: str, cwd: str) -> PathAccess | None:
        """The path as the process meets it; None where a mount or a volume covers it."""
        base = cwd or self.state.cwd
        if self.hides(posixpath.normpath(posixpath.join(base, path))):
            return None
        if self.made:
            return self._look_over(posixpath.normpath(posixpath.join(base, path)))
        return check_access(self.sim.rootfs, path, self.state.after, base)

    def over(self, made: Made, exact: bool, umask: int) -> ImageOfShell:
        """The image with what the script has made in front of it."""
        other = copy(self)
        other.made, other.exact, other.umask, other.refused = made, exact, umask, {}
        return other

    def of(self, actor: Actor) -> ImageOfShell:
        """The image as another actor meets it."""
        if actor == self.state.after:
            return self
        other = copy(self)
        other.state = msgspec.structs.replace(self.state, after=actor)
        other.refused, other.searched = {}, {}
        return other

    def place(self, path: str, cwd: str) -> str:
        """The path without the links on it, as far as it leads."""
        here = "/"
        for name in posixpath.normpath(posixpath.join(cwd or self.state.cwd, path)).split("/")[:_MAX_PARTS]:
            here = posixpath.join(here, name)
            if name and here not in self.made:
                found = self.sim.rootfs.resolve(here)
                here = text(found.path) if found.node is not None else here
        return here

    def _look_over(self, full: str) -> PathAccess | None:
        """The path as the process meets it where something was made; None where that is not all that was."""
        place, actor = self.place(full, "/"), self.state.after
        if not within(self.made, place):
            return check_access(self.sim.rootfs, full, actor)
        parent = self._look_over(posixpath.dirname(place)) if self.exact else None
        if parent is None:
            return None
        errno, node = parent.errno, None
        if parent.node is not None:
            errno = "ENOTDIR" if not parent.node.is_dir else "" if permits(parent.node, actor, EXECUTE) else "EACCES"
        if not errno:
            node = self.made.get(place)
            errno = "" if node is not None else "ENOENT"
        return PathAccess(path=raw(full), errno=errno, resolution=self.sim.rootfs.resolve(b"/"), node=node)

    def locate(self, path: str, cwd: str) -> tuple[str, str, bool] | None:
        """The full path by its words and without links, and whether it is a directory to enter; None: not known."""
        base = cwd or self.state.cwd
        if not self.test("e", path, cwd) or (path[:1] != "/" and self.place(base, "/") != base):
            return None
        full = "/" + posixpath.normpath(posixpath.join(base, path)).lstrip("/")
        enters = bool(self.test("d", path, cwd) and self.test("x", path, cwd))
        return full, self.place(full, "/"), enters

    def is_new(self, path: str, cwd: str) -> bool:
        """Whether a path leads to what the script itself made where nothing was."""
        place = self.place(path, cwd)
        return place in self.made and self.sim.rootfs.resolve(place).node is None

    def writes(self, path: str, cwd: str) -> Made:
        """What a redirection into a file makes that can be opened."""
        seen, actor = self._look(path, cwd), self.state.after
        node = seen.node if seen is not None else None
        if node is not None and not node.is_file:
            return {}
        made = Inode("file", 0o666 & ~self.umask, actor.uid, actor.gid) if node is None else altered(node)
        return {self.place(path, cwd): made}

    def asks_too_much(self, argv: tuple[str, ...], cwd: str) -> bool:
        """Whether a command wants to give files to somebody whom its user has no right to give them to."""
        return tools.asks_too_much(argv, _FilesOf(self, self._executing(), cwd))

    def _executing(self) -> Actor:
        """The actor of a program that the shell executes: mostly without capabilities."""
        actor = self.state.after
        return msgspec.structs.replace(actor, capabilities=frozenset()) if actor.uid else actor

    def enter(self, path: str, cwd: str) -> ErrnoName | None:
        """The errno of `chdir`, "" where it succeeds; None where it cannot be told."""
        seen = self._look(path, cwd)
        if seen is None or seen.errno not in _KNOWN or path == self.sim.scenario.wanted.working_dir:
            return None
        if seen.errno or seen.node is None:
            return seen.errno
        if not seen.node.is_dir:
            return "ENOTDIR"
        return "" if permits(seen.node, self.state.after, EXECUTE) else "EACCES"

    def read(self, path: str, cwd: str) -> tuple[str, ErrnoName] | None:
        """The text of a file, or "" and the errno of `open`; None where neither can be told."""
        seen = self._look(path, cwd)
        if seen is None or seen.errno not in _KNOWN:
            return None
        if seen.errno or seen.node is None:
            return "", seen.errno
        if not seen.node.is_file or seen.node.size > interpreters.SCRIPT_MAX:
            return None
        if not permits(seen.node, self.state.after, READ):
            return "", "EACCES"
        if self.made and self.place(path, cwd) in self.made:
            return None
        return text(self.sim.rootfs.read(seen.resolution.path, 0, seen.node.size)), ""

    def create(self, path: str, cwd: str) -> ErrnoName | None:
        """The errno of opening a file for writing, which makes one that is not there; "" and None as for `enter`."""
        seen = self._look(path, cwd)
        if seen is None or seen.errno not in _KNOWN:
            return None
        return self._open(seen, path, cwd)

    def _open(self, seen: PathAccess, path: str, cwd: str) -> ErrnoName | None:
        """The errno of opening what `seen` found at a path for writing, as `create` gives it."""
        actor, closed = self.state.after, self.sim.scenario.closes
        if seen.node is not None:
            if seen.node.is_dir:
                return "EISDIR"
            if seen.node.is_file and closed(text(seen.resolution.path)):
                return "EROFS"
            return "" if not seen.node.is_file or permits(seen.node, actor, WRITE) else "EACCES"
        if seen.errno != "ENOENT" or path.endswith("/"):
            return seen.errno
        parent = self._look(posixpath.dirname(path) or ".", cwd)
        if parent is None or parent.errno not in _KNOWN:
            return None
        if parent.errno or parent.node is None:
            return parent.errno
        if not parent.node.is_dir:
            return "ENOTDIR"
        if closed(text(parent.resolution.path)):
            return "EROFS" if permits(parent.node, actor, EXECUTE) else "EACCES"
        return "" if permits(parent.node, actor, WRITE | EXECUTE) else "EACCES"

    def volume_refuses(self, path: str, cwd: str, *, directory: bool = False) -> str:
        """Why a write there fails in a volume that is new, in words; "" where it lies in none, or would be allowed."""
        place = posixpath.normpath(posixpath.join(cwd or self.state.cwd, path))
        volume = self.sim.scenario.volume_at(place)
        if volume is None or volume.empty:
            return ""
        what = f"the volume {volume.source or volume.path}"
        if volume.of_host:
            return (
                f"the directory {volume.source} of the host, which the image knows nothing about, lets it write {place}"
            )
        if volume.read_only:
            return f"{what} is mounted read-only, and {place} is to be written"
        actor, rootfs = self.state.after, self.sim.rootfs
        if actor.override or actor.uid == 0:
            return ""
        parent = check_access(rootfs, posixpath.dirname(place), actor)
        seen = check_access(rootfs, place, actor)
        if directory and seen.node is not None and seen.node.is_dir:
            return ""
        node = seen.node if seen.node is not None else parent.node
        owner = check_access(rootfs, volume.path, actor).node
        if node is not None and permits(node, actor, WRITE if node.is_file else WRITE | EXECUTE):
            return ""
        belongs = "root" if owner is None else f"{owner.uid}:{owner.gid} with mode {owner.mode:04o}"
        return f"{what} lets uid {actor.uid} write {place}: a new one belongs to {belongs}, and it does not"

    def names(self, directory: str, cwd: str) -> list[str] | None:
        """The names in a directory, sorted by their bytes; None where they cannot be told."""
        seen = self._look(directory or ".", cwd)
        if seen is None or seen.errno not in _KNOWN:
            return None
        if seen.node is None or not seen.node.is_dir or not permits(seen.node, self.state.after, READ):
            return []
        if not self.made:
            return self._listed(seen.resolution.path)
        place = self.place(directory or ".", cwd)
        before = [] if place in self.made else self._listed(raw(place))
        return None if before is None else sorted(names_in(self.made, place, set(before)), key=raw)

    def _listed(self, path: bytes) -> list[str] | None:
        """The names in a directory of the image, which is listed once; None where they are more than are followed."""
        if path not in self._listings:
            left = _MAX_LISTED - self._children.listed
            names = [text(name) for name in islice(self.sim.rootfs.names(path), left + 1)]
            self._children.listed += min(len(names), left)
            self._listings[path] = names if len(names) <= left else None
        return self._listings[path]

    def id_of(self, name: str, *, group: bool) -> int | None:
        """The number of a user or a group of that name; None where there is none, -1 where that cannot be told."""
        if self._accounts is None:
            self._accounts = Accounts(self.sim.rootfs)
        if isinstance(self._accounts.group if group else self._accounts.passwd, Unreadable):
            return -1
        return self._accounts.gid(name) if group else self._accounts.uid(name)

    def tool(self, argv: tuple[str, ...], env: Mapping[str, Value], cwd: str) -> tools.Judged | None:
        """How a tool ends, where that follows from the image; None for every other command."""
        known = {name: value for name, value in env.items() if isinstance(value, str)}
        if any(isinstance(env.get(name), Unknown) for name in ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD")):
            return None
        state = msgspec.structs.replace(self.state, env=known, cwd=cwd or self.state.cwd)
        place = self._search(argv[0], known.get("PATH"), state.cwd, default=interpreters.default_path(self._shell))
        if place is None:
            return None
        final = self._chain.final or b""
        inside = self._shell == "busybox" and interpreters.has_applet(self.sim.rootfs, final, argv[0])
        inside = inside and (place.path is None or interpreters.runs_applets_first(self.sim.rootfs, final))
        if not inside and place.path is not None and (broken := self._broken(place.path, argv, state)) is not None:
            return broken
        if argv[0].rsplit("/", 1)[-1] not in tools.JUDGED:
            return None
        family: tools.Family | None = "busybox"
        if not inside:
            family = None if place.path is None else interpreters.family_of_tool(self.sim.rootfs, place.path)
        locale = known.get("LC_ALL") or known.get("LC_CTYPE") or known.get("LANG") or ""
        if family is None:
            return None
        runs = family != "busybox" or argv[0].rsplit("/", 1)[-1] in _EXECUTED
        actor = self._executing() if runs else self.state.after
        return tools.judged(argv, family, _FilesOf(self, actor, cwd), utf8="utf" in locale.lower())

    def _broken(self, path: str, argv: tuple[str, ...], state: ProcessState) -> tools.Judged | None:
        """What the loader says of a program that it cannot load."""
        if self.hides(posixpath.normpath(posixpath.join(state.cwd, path))):
            return None
        chain = self.sim.attempt(path, argv, state)
        if chain.final is None or chain.loader is None or chain.failure is not None:
            return None
        failure = self.sim.closure(chain, path, state).failure
        if failure is None or failure.exit_code is None:
            return None
        return tools.Judged(failure.exit_code, failure.message, loader=True)

    def child(self, argv: tuple[str, ...], env: Mapping[str, Value], cwd: str, changed: int) -> ScriptOutcome | None:
        """What becomes of a shell that the command starts; None for every other program."""
        sim, children = self.sim, self._children
        path = env.get("PATH")
        if isinstance(path, Unknown) or children.depth >= _MAX_DEPTH or children.count >= _MAX_CHILDREN:
            return None
        known = {name: value for name, value in env.items() if isinstance(value, str)}
        state = msgspec.structs.replace(self.state, env=known, cwd=cwd or self.state.cwd)
        default = interpreters.default_path(self._shell)
        found = self._search(argv[0], path, state.cwd, default=default)
        if found is None or found.path is None or self.hides(posixpath.normpath(posixpath.join(state.cwd, found.path))):
            return None
        chain = sim.attempt(found.path, argv, state)
        if chain.failure is not None or chain.final is None:
            return None
        shell = interpreters.identify(sim.rootfs, chain.final, chain.argv)
        if not shell:
            wrapped = unwrap(chain.argv, real=text(chain.final), env=known, leader=False)
            return self._behind(wrapped, env, cwd, changed)
        told = interpreters.invocation(chain.argv)
        if told.mode not in ("command", "script"):
            return None
        read = (told.body, "") if told.mode == "command" else self.read(told.body, cwd)
        if read is None or read[1]:
            return None
        if state.after.uid:
            state = msgspec.structs.replace(
                state, after=msgspec.structs.replace(state.after, capabilities=chain.gained)
            )
        children.count += 1
        children.depth += 1
        image = ImageOfShell(sim, shell, chain, state, children)
        outcome = classify(
            read[0],
            shell=shell,
            mode=told.mode,
            args=told.args,
            env=env,
            uid=state.after.uid,
            image=image,
            changed=changed,
            umask=self.umask,
            options=told.options,
            posix=interpreters.is_posix(chain.argv, told, known),
            startup=image.startup(interpreters.startup_files(shell, chain.argv, told, known)),
        )
        children.depth -= 1
        return image.ended(outcome, told)

    def ended(self, outcome: ScriptOutcome, told: Invocation) -> ScriptOutcome:
        """The end of this shell, where the program that it would become cannot be started."""
        if not (outcome.replaces and outcome.sure and outcome.complete) or outcome.changed > 1 or outcome.cwd is None:
            return outcome
        name = outcome.program or outcome.argv[0]
        path = outcome.env.get("PATH", self.state.env.get("PATH"))
        refused = self.refuses(name, path, outcome.cwd)
        arg0, script = told.args[0] if told.args else "", told.mode == "script"
        words = None
        if refused is not None:
            by_exec = outcome.kind == "exec"
            words = interpreters.cannot_run(
                self._shell, arg0, name, refused, outcome.line, script=script, by_exec=by_exec
            )
        if words is None:
            return outcome
        return msgspec.structs.replace(outcome, kind="ends", exit_code=words[1], said=(*outcome.said, words[0]))

    def _behind(
        self, wrapped: Wrapped | None, env: Mapping[str, Value], cwd: str, changed: int
    ) -> ScriptOutcome | None:
        """What becomes of the command behind a wrapper: it is that command that succeeds or not."""
        if wrapped is None or wrapped.has_no_command or wrapped.argv[0] == USER_SHELL:
            return None
        behind = ScriptOutcome(kind="child", argv=wrapped.argv)
        if wrapped.user or wrapped.cwd or wrapped.root or wrapped.env_clear or wrapped.env_unknown:
            return behind
        return self.child(wrapped.argv, {**env, **wrapped.env}, cwd, changed) or behind

    def enter_name(self, path: str, cwd: str) -> ErrnoName | None:
        """The errno of making or removing an entry in the directory of the path; "" and None as for `enter`."""
        parent = self._look(posixpath.dirname(path) or ".", cwd)
        if parent is None or parent.errno not in _KNOWN:
            return None
        if parent.errno or parent.node is None:
            return parent.errno
        if not parent.node.is_dir:
            return "ENOTDIR"
        if self.sim.scenario.closes(text(parent.resolution.path)):
            return "EROFS"
        if not permits(parent.node, self.state.after, WRITE | EXECUTE):
            return "EACCES"
        if not parent.node.mode & 0o1000:
            return ""
        there = self._look(path, cwd)
        return "" if there is not None and there.errno == "ENOENT" else None

    def look(self, path: str, cwd: str) -> PathAccess | None:
        """The path as `stat` finds it; None where that cannot be told."""
        seen = self._look(path, cwd)
        return None if seen is None or seen.errno not in _KNOWN else seen

    def refuses(self, name: str, path_value: str | None, cwd: str) -> Search | None:
        """Why the command cannot be started; None when it starts, or where it cannot be told."""
        key = (name, path_value, cwd)
        if key not in self.refused:
            self.refused[key] = self._refusal(name, path_value, cwd or self.state.cwd)
        return self.refused[key]

    def finds(self, name: str, path_value: str) -> str | None:
        """The file that PATH gives for a name, "" where none does; None where it cannot be told."""
        if self.hides(name) or self._hides_some(path_value) is not False:
            return None
        found = self._search(name, path_value, self.state.cwd)
        if found is None:
            return None
        if found.path is not None:
            return found.path
        inside = self._shell == "busybox" and interpreters.has_applet(self.sim.rootfs, self._chain.final or b"", name)
        return None if inside or found.errno != "ENOENT" else ""

    def family(self, name: str, path_value: str) -> tools.Family | None:
        """Whose tool a name is, of those whose habits are known; None for any other."""
        found = self._search(name, path_value, self.state.cwd)
        if found is None:
            return None
        final = self._chain.final or b""
        inside = self._shell == "busybox" and interpreters.has_applet(self.sim.rootfs, final, name)
        if inside and (found.path is None or interpreters.runs_applets_first(self.sim.rootfs, final)):
            return "busybox"
        family = None if found.path is None else interpreters.family_of_tool(self.sim.rootfs, found.path)
        refuses = family == "gnu" and name == "ls" and self.sim.scenario.runtime.kernel.own
        return None if refuses else family  # gVisor's kernel of 2022 refuses the statx of this ls (seen)

    def _search(self, name: str, path_value: str | None, cwd: str, *, default: str = "") -> Search | None:
        """Where PATH leads for a name; None where more directories would be looked into than are followed."""
        key = (name, path_value, cwd, default)
        if key not in self.searched:
            looks = self._looks(default if path_value is None else path_value) if "/" not in name else True
            rootfs, actor = self.sim.rootfs, self.state.after
            self.searched[key] = (
                interpreters.search(rootfs, name, path_value, cwd, actor, default=default) if looks else None
            )
        return self.searched[key]

    def _hides_some(self, path_value: str) -> bool | None:
        """Whether a mount or a volume covers a directory of PATH; None as for `_search`."""
        if path_value not in self._hidden:
            looks = self._looks(path_value)
            self._hidden[path_value] = any(map(self.hides, path_value.split(":"))) if looks else None
        return self._hidden[path_value]

    def _looks(self, path_value: str) -> bool:
        """Count the directories of PATH; False past the bound."""
        self._children.looks += 1 + path_value.count(":")
        return self._children.looks <= _MAX_LOOKS

    def _refusal(self, name: str, path_value: str | None, cwd: str) -> Search | None:
        rootfs, state = self.sim.rootfs, self.state
        if self._shell == "busybox" and interpreters.has_applet(rootfs, self._chain.final or b"", name):
            return None
        default = interpreters.default_path(self._shell)
        value = default if path_value is None else path_value
        if self.hides(name) if "/" in name else self._hides_some(value) is not False:
            return None
        found = self._search(name, path_value, cwd, default=default)
        if found is None:
            return None
        if found.path is None:
            return found if found.errno in _REFUSALS else None
        started = self.sim.attempt(found.path, (name,), state)
        code = started.failure.code if started.failure is not None else None
        if started.errno == "ENOENT" and code in {FailureCode.SHEBANG_CRLF, FailureCode.INTERPRETER_MISSING}:
            return Search(path=None, errno="interpreter", seen=found.path)
        return None


def reason(command: str, errno: StartError) -> str:
    """Why a shell cannot run a command, in words."""
    if errno == "ENOENT":
        return "it does not exist" if "/" in command else "no directory of PATH has it"
    reasons: dict[StartError, str] = {
        "EACCES": "it is not executable",
        "EISDIR": "it is a directory",
        "interpreter": "the interpreter in its first line does not exist",
    }
    return reasons.get(errno, errno)


def no_applet(rootfs: Rootfs, final: bytes, name: str) -> Failure:
    """What a busybox says that is called by a name which it does not have."""
    return Failure(
        code=FailureCode.TOOL_FAILS,
        judge=Judge.USERLAND,
        errno="",
        message=f"{name}: applet not found",
        exit_code=127,
        why=f"this busybox has no applet {name}",
        fix=f"name an applet that it has, or install {name}",
        where=trace.locate(rootfs, final),
    )
