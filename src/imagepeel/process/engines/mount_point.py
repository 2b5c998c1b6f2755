"""A place that a runtime mounts on, as it finds it in the image."""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel.evidence import Location
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Phase
from imagepeel.tables import ErrnoName

MountType = Literal["proc", "tmpfs", "devpts", "mqueue", "sysfs"]
Leads = Literal["", "dir", "root", "missing", "loop", "other"]


class MountPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A place of the image that a runtime mounts on.

    `state` is what has its name: nothing, a directory, something else or a link; `leads` is where a link leads:
    to a directory, to the root, nowhere, in a circle or to something else.  `target` are the words of the link.
    """

    path: str
    kind: MountType
    state: Literal["missing", "dir", "other", "link"]
    leads: Leads = ""
    target: bytes = b""
    noexec: bool = False
    where: Location | None = None

    @property
    def what(self) -> str:
        """What is wrong with it, in words."""
        if self.state == "other":
            return f"{self.path} is no directory"
        return f"{self.path} is a link to {self.target.decode(errors='replace')}"

    def refused(self, errno: ErrnoName, message: str) -> Failure:
        """The failure of a runtime that cannot mount there."""
        return Failure(
            code=FailureCode.MOUNT_POINT_BLOCKED,
            judge=Judge.RUNTIME,
            errno=errno,
            message=message,
            why=f"{self.what}, and the runtime mounts {self.kind} there",
            fix=f"let {self.path} be a directory, or leave it out",
            where=self.where,
            phase=Phase.INIT,
        )
