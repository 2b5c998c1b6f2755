"""Who it is after a program changed that."""

from __future__ import annotations

import msgspec

from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.values import Credentials


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """Who it is after a switch.

    `home` is what HOME becomes, None where it stays, and `shell` what passwd names for that user.  `measured` tells
    that the program was watched doing this.
    """

    credentials: Credentials
    home: str | None = None
    shell: str = ""
    measured: bool = True

    @property
    def actor(self) -> Actor:
        """What the kernel asks about who it is now."""
        return Actor.of(self.credentials, self.credentials.effective if self.credentials.uid == 0 else ())
