"""What a shell meets in the image: `ImageOfShell` answers its walk for one process of a start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from imagepeel.process.engines.mounts import mounts
from imagepeel.process.shell import interpreters
from imagepeel.process.shell.interpreters import Search
from imagepeel.process.spec.access import EXECUTE, READ, WRITE, check_access, permits
from imagepeel.process.spec.failure import FailureCode

if TYPE_CHECKING:
    from imagepeel.process.kernel.execve import ExecveResult
    from imagepeel.process.scenario import Scenario
    from imagepeel.process.spec.state import ProcessState
    from imagepeel.rootfs.view import Rootfs

_REFUSALS = {"ENOENT", "EACCES", "EISDIR"}


class Starts(Protocol):
    """The start under way, as far as a shell's questions need it; `simulate.StartSimulation` is it."""

    rootfs: Rootfs
    scenario: Scenario

    def attempt(self, path: str, argv: tuple[str, ...], state: ProcessState) -> ExecveResult: ...


class ImageOfShell:
    """The image as the process of one shell meets it (`shell.image.ShellImage`)."""

    def __init__(self, sim: Starts, shell: str, chain: ExecveResult, state: ProcessState) -> None:
        self._sim = sim
        self._shell = shell
        self._chain = chain
        self._state = state
        self._refused: dict[tuple[str, str | None, str], Search | None] = {}
        covered = [mount["destination"] for mount in mounts(sim.scenario.engine)]
        covered += [*sim.scenario.wanted.volumes, *sim.scenario.engine.injected]
        self._covered = tuple(top.rstrip("/") for top in covered)

    def _hidden(self, path: str) -> bool:
        """A mount or a volume covers the path."""
        return any(path == top or path.startswith(top + "/") for top in self._covered)

    def test(self, operator: str, path: str, cwd: str) -> bool | None:
        """`test -OPERATOR PATH` in the image; None where a mount or a volume covers the path."""
        if self._hidden(path):
            return None
        rootfs, actor, cwd = self._sim.rootfs, self._state.after, cwd or self._state.cwd
        seen = check_access(rootfs, path, actor, cwd)
        if operator in {"h", "L"}:
            node = rootfs.resolve(path, cwd=cwd, follow=False).node
            return node is not None and node.is_symlink
        if seen.errno or seen.node is None:
            return False
        node = seen.node
        simple = {"e": True, "f": node.is_file, "d": node.is_dir, "s": node.size > 0, "p": node.kind == "fifo"}
        if operator in simple:
            return None if operator == "s" and node.is_dir else simple[operator]
        wanted = {"r": READ, "w": WRITE, "x": EXECUTE}.get(operator)
        return None if wanted is None else permits(node, actor, wanted)

    def refuses(self, name: str, path_value: str | None, cwd: str) -> Search | None:
        """Why the command cannot be started; None when it starts, or where it cannot be told."""
        key = (name, path_value, cwd)
        if key not in self._refused:
            self._refused[key] = self._refusal(name, path_value, cwd or self._state.cwd)
        return self._refused[key]

    def _refusal(self, name: str, path_value: str | None, cwd: str) -> Search | None:
        rootfs, state = self._sim.rootfs, self._state
        if self._shell == "busybox" and interpreters.has_applet(rootfs, self._chain.final or b"", name):
            return None
        default = interpreters.default_path(self._shell)
        places = [name] if "/" in name else (default if path_value is None else path_value).split(":")
        if any(self._hidden(place) for place in places):
            return None
        found = interpreters.search(rootfs, name, path_value, cwd, state.after, default=default)
        if found.path is None:
            return found if found.errno in _REFUSALS else None
        started = self._sim.attempt(found.path, (name,), state)
        code = started.failure.code if started.failure is not None else None
        if started.errno == "ENOENT" and code in {FailureCode.SHEBANG_CRLF, FailureCode.INTERPRETER_MISSING}:
            return Search(path=None, errno="interpreter", seen=found.path)
        return None
