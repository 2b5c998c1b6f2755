"""J4: what happens after the kernel said yes: the loader, the interpreter of a script, wrapped commands.

`Userland.judge` takes a finished exec chain and follows it as far as the text of the image proves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError, Malformed
from imagepeel.evidence import text
from imagepeel.formats.elf import parse_elf
from imagepeel.process import trace, verdict
from imagepeel.process.access import READ, Actor, may
from imagepeel.process.kernel import Chain
from imagepeel.process.loader import LoaderResult, closure
from imagepeel.process.pid1 import describe
from imagepeel.process.profiles import Engine
from imagepeel.process.values import Credentials, NeededLibrary, PidOne, Step, Verdict

if TYPE_CHECKING:
    from imagepeel.process.intent import Wanted
    from imagepeel.process.options import Options
    from imagepeel.rootfs import Node, Rootfs


class Userland:
    """The judgement under way; results are in the public attributes."""

    def __init__(
        self,
        rootfs: Rootfs,
        engine: Engine,
        label: str,
        wanted: Wanted,
        options: Options,
        credentials: Credentials,
        env: Mapping[str, str],
        cwd: str,
    ) -> None:
        self.rootfs = rootfs
        self.engine = engine
        self.label = label
        self.wanted = wanted
        self.options = options
        self.credentials = credentials
        self.env = dict(env)
        self.cwd = cwd
        self.steps: list[Step] = []
        self.failure: Verdict | None = None
        self.depends: list[str] = []
        self.unknown = ""
        self.libraries: list[NeededLibrary] = []
        self.wrapped: list[tuple[str, ...]] = []
        self.history: list[str] = []
        self.pid1: PidOne | None = None

    def judge(self, chain: Chain, execfn: str) -> None:
        """Follow a chain that ended in a program; `execfn` is the path of its first round."""
        final = "" if chain.final is None else text(chain.final)
        after = self._after(chain)
        if chain.loader is not None:
            self._load(chain, execfn, after)
        self._identify(chain, final, after)

    def _after(self, chain: Chain) -> Actor:
        """The actor once the program runs: without its capabilities unless it is root."""
        user = self.credentials
        uid = user.uid if chain.euid is None else chain.euid
        gid = user.gid if chain.egid is None else chain.egid
        effective = user.bounding if uid == 0 else ()
        if user.uid == 0 and user.effective != user.bounding:
            effective = user.effective
        names = frozenset(effective)
        return Actor(
            uid=uid,
            gid=gid,
            groups=frozenset(user.groups),
            override="DAC_OVERRIDE" in names,
            search="DAC_OVERRIDE" in names or "DAC_READ_SEARCH" in names,
        )

    def _load(self, chain: Chain, execfn: str, after: Actor) -> None:
        def may_read(node: Node) -> bool:
            return may(node, after, READ)

        result = closure(
            self.rootfs,
            chain.last,
            env=self.env,
            secure=chain.privileged,
            cwd=self.cwd,
            argv0=chain.argv[0] if chain.argv else "",
            execfn=execfn,
            may_read=may_read,
        )
        self._libraries(result)
        failure = result.failure
        detail = [f"{len(result.libraries)} libraries by the rules of {result.family}", *result.warnings]
        outcome = "ok"
        if failure is not None:
            detail.append(failure.why)
            outcome = failure.id
        elif result.unknown:
            detail.extend(result.unknown)
            outcome = "unknown"
        self.steps.append(
            Step(
                rule="S8",
                judge="J4",
                title=f"The loader {chain.loader} loads {chain.last}",
                outcome=outcome,
                detail=tuple(detail),
                path=text(chain.final or b""),
                where=trace.locate(self.rootfs, chain.final or b"/"),
                inspect=(trace.LOOK_AT_DYNAMIC,),
            )
        )
        self.depends.extend(result.depends)
        if failure is not None and self.failure is None:
            self.failure = verdict.by_userland(
                self.engine,
                self.label,
                failure.id,
                "ENOENT" if failure.id in {"F30", "F31"} else "",
                failure.text,
                failure.exit_code,
                failure.why,
                _library_fix(failure.id),
                trace.locate(self.rootfs, chain.final or b"/"),
            )
        elif result.unknown and not self.unknown:
            self.unknown = "; ".join(result.unknown)

    def _libraries(self, result: LoaderResult) -> None:
        for library in result.libraries:
            where = trace.locate(self.rootfs, library.real) if library.real else None
            self.libraries.append(
                NeededLibrary(
                    name=library.name,
                    path=library.real or library.path,
                    how=library.source,
                    needed_by=library.requested_by,
                    where=where,
                )
            )

    def _identify(self, chain: Chain, final: str, after: Actor) -> None:
        self.pid1 = describe(
            chain.argv,
            final,
            self.wanted,
            self.options,
            self.engine,
            chain=self.history,
            script=bool(chain.scripts),
            hints=self._hints(chain),
            uid=after.uid,
            gid=after.gid,
        )

    def _hints(self, chain: Chain) -> tuple[str, ...]:
        if chain.final is None:
            return ()
        final = chain.final
        try:
            node = self.rootfs.lookup(final)
            return parse_elf(lambda offset, count: self.rootfs.read(final, offset, count), node.size).hints
        except (Malformed, ImagepeelError):
            return ()


def _library_fix(row: str) -> str:
    return {
        "F30": "install the library in the final image, or run ldconfig after adding its directory",
        "F31": "apk add the library, or build statically",
        "F32": "build on the same or an older base than the image that runs it",
        "F33": "take program and libraries from the same build",
    }.get(row, "take program and libraries from the same base")
