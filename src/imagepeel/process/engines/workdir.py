"""What a working directory is before anybody makes it, and what became of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Phase
from imagepeel.tables import ErrnoName

FIX = "let WORKDIR name a directory"
FIX_IN_MOUNT = "let WORKDIR name a directory of the image"


WorkdirState = Literal["missing", "dangling", "loop", "node", "through"]


class WorkdirTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """A working directory that is not there as a directory, as engine and runtime meet it.

    `path` is the absolute name that was asked for, `lexical` its shortest form, `target` where its links lead.
    `state`: `missing`, `dangling` (a link to nothing), `loop`, `node` (something else has that name) or `through`
    (something on the way is no directory).  `deepest` is the longest leading part that has a node of its own.
    `by_option` tells that the caller asked, not the image; `errno` is that of looking at it, `why` one sentence.
    """

    path: str
    lexical: str
    target: str
    state: WorkdirState
    deepest: str
    by_option: bool
    errno: ErrnoName
    why: str

    def refused(
        self,
        judge: Judge,
        errno: ErrnoName,
        message: str,
        *,
        created: bool = True,
        in_mount: bool = False,
        phase: Phase = Phase.INIT,
    ) -> Failure:
        """The failure of a judge who does not go on with it; `in_mount`: it lies below a mount of the runtime."""
        dangling = self.state == "dangling"
        code = FailureCode.WORKDIR_DANGLING if dangling else FailureCode.WORKDIR_BLOCKED
        return Failure(
            code=FailureCode.WORKDIR_IN_MOUNT if in_mount else code,
            judge=judge,
            errno=errno,
            message=message,
            why=self.why,
            fix=FIX_IN_MOUNT if in_mount else FIX,
            phase=phase,
            created=created,
        )


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """The directory that an engine makes, and a sentence about it."""

    path: str
    note: str


class Workdir(msgspec.Struct, frozen=True, kw_only=True):
    """The directory the process starts in, or why it cannot.

    `path` is what the program sees, `canonical` the place in the rootfs.
    """

    path: str
    canonical: str
    how: str
    created: bool = False
    notes: tuple[str, ...] = ()
    failure: Failure | None = None
    unproved: str = ""
