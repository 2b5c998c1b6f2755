"""How the sources of a survey are opened, in whatever process that happens."""

from __future__ import annotations

import msgspec

from imagepeel import api
from imagepeel.layers.index_cache import IndexCache
from imagepeel.limits import DEFAULT, Limits
from imagepeel.sources.request import Request, Version
from imagepeel.sources.table import version


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What `open` is given for each source."""

    limits: Limits = DEFAULT
    """What one archive may cost."""
    ca: str = ""
    """A file of certificates that are trusted beside those of this machine."""
    plain_http: bool = False
    """Whether bytes and logins may go unencrypted to another machine."""

    def open(self, source: str, *, cache: IndexCache | bool = False) -> api.Archive:
        """Open one source; errors are those of `imagepeel.open`."""
        return api.open(source, limits=self.limits, cache=cache, ca=self.ca or None, plain_http=self.plain_http)

    def version(self, source: str) -> Version | None:
        """Ask which version of a source there is now; arguments and errors are those of `sources.table.version`."""
        return version(source, self.request)

    @property
    def request(self) -> Request:
        """The same for who asks a registry itself."""
        return Request(limits=self.limits, ca=self.ca, plain_http=self.plain_http)
