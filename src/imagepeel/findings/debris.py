"""Leftovers of building: directories of which no program needs anything at run time.

One list, for the account of `waste` and for the rule BUILD-DEBRIS: both count what a container still sees of them, and
what was removed from the rootfs is counted as removed.  The directories are told by their names alone, so that an
application's own data never counts.
"""

from __future__ import annotations

import msgspec

from imagepeel._lazy import late

_HOME = rb"(?:root|home/[^/]+)"


class Debris(msgspec.Struct, frozen=True):
    """One kind of leftover: what it is, the directory (a pattern from the root on), and how to leave it out."""

    what: str
    directory: bytes
    fix: str


_STAGE = "build in a stage that is thrown away"
KINDS: tuple[Debris, ...] = (
    Debris("package lists of apt", rb"var/lib/apt/lists", "rm -rf /var/lib/apt/lists/* in the same RUN"),
    Debris("package cache of apt", rb"var/cache/apt", "apt-get clean in the same RUN"),
    Debris("package cache of apk", rb"(?:var/cache/apk|etc/apk/cache)", "apk add --no-cache"),
    Debris("package cache of dnf", rb"var/cache/(?:dnf|libdnf5)", "dnf clean all in the same RUN"),
    Debris("package cache of yum", rb"var/cache/yum", "yum clean all in the same RUN"),
    Debris("package cache of zypper", rb"var/cache/zypp", "zypper clean --all in the same RUN"),
    Debris("cache of pip", _HOME + rb"/\.cache/pip", "pip install --no-cache-dir"),
    Debris("cache of uv", _HOME + rb"/\.cache/uv", "uv --no-cache"),
    Debris("cache of npm", _HOME + rb"/\.npm/_cacache", "npm cache clean --force in the same RUN, or a cache mount"),
    Debris(
        "cache of Yarn",
        rb"(?:usr/local/share/\.cache/yarn|" + _HOME + rb"/(?:\.cache/yarn|\.yarn/cache))",
        "yarn cache clean in the same RUN",
    ),
    Debris("repository of Maven", _HOME + rb"/\.m2/repository", _STAGE),
    Debris("cache of Gradle", _HOME + rb"/\.gradle/caches", _STAGE),
    Debris("registry of Cargo", rb"(?:" + _HOME + rb"/\.cargo|usr/local/cargo)/registry", _STAGE),
    Debris("module cache of Go", rb"(?:root/)?go/pkg/mod/cache", _STAGE),
    Debris("build cache of Go", _HOME + rb"/\.cache/go-build", _STAGE),
)
GIT = Debris("a git repository", rb"", "list .git in .dockerignore")
_GIT = late(rb"(?:.*/)?\.git(?=/(?:objects|refs)(?:/|$))")
_ABOVE = (b"var/", b"etc/", b"usr/local/", b"root/", b"home/", b"go/")
"""Each of the others lies below one of these."""
_ANY = late(rb"(?:" + rb"|".join(rb"(%b)" % kind.directory for kind in KINDS) + rb")(?=/|$)")


def debris_of(directory: bytes) -> tuple[bytes, Debris] | None:
    """Return top and kind of the leftover that a directory (no slash in front) belongs to, None for no leftover."""
    if b".git/" in directory and (found := _GIT.match(directory)) is not None:
        return found[0], GIT
    found = _ANY.match(directory) if directory.startswith(_ABOVE) else None
    return (found[0], KINDS[found.lastindex - 1]) if found is not None and found.lastindex else None
