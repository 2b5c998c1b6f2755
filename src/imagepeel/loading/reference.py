"""Names of images as tools take them: the grammar of distribution/reference, and what each makes of a short name.

Source: distribution/reference reference.go and normalize.go; measured with dockerd 20.10, ctr 1.6 and podman 4.3.
"""

from __future__ import annotations

import re

import msgspec

from imagepeel._lazy import late
from imagepeel.oci.digest import is_lower_hex

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = late(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST = late(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d+)?")
_TAG = late(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = late(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")

_TOO_LONG = "repository name must not be more than 255 characters"
HUB = "docker.io"


class Invalid(msgspec.Struct, frozen=True, kw_only=True):
    """Why a name is none; `cause` is "" where tools say no more than that."""

    cause: str = ""
    too_long: bool = False
    hexadecimal: str = ""
    """The name, where it is 64 hexadecimal digits and nothing else: it could be an ID."""

    def alone(self, name: str) -> str:
        """The words of a reader that fills in no registry."""
        return "repository name must have at least one component" if not name else self.cause or self.words

    @property
    def words(self) -> str:
        """The words of distribution/reference."""
        if self.too_long:
            return _TOO_LONG
        if self.hexadecimal:
            return f"invalid repository name ({self.hexadecimal}), cannot specify 64-byte hexadecimal strings"
        return ": ".join(filter(None, ("invalid reference format", self.cause)))


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A name in its parts; `tag` and `digest` are "" where it has none."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""
    given_domain: bool = True
    """Whether the name itself has the domain, or it was filled in."""

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def full(self) -> str:
        """`docker.io/library/alpine:3`."""
        return f"{self.domain}/{self.path}{self._suffix}"

    @property
    def familiar(self) -> str:
        """`alpine:3`, as Docker shows it."""
        path = self.path
        if self.domain == HUB:
            return path.removeprefix("library/") + self._suffix
        return f"{self.domain}/{path}{self._suffix}"

    def tagged(self) -> Reference:
        """Return the reference with the tag `latest` where it has neither tag nor digest."""
        return self if self.tag or self.digest else msgspec.structs.replace(self, tag="latest")


def familiar_names(names: tuple[str, ...] | None) -> list[str]:
    """Return names as Docker shows them, with the tag that stands for none; what is no name is left out."""
    found = [parse(name) for name in names or ()]
    return [name.tagged().familiar for name in found if isinstance(name, Reference)]


def no_tag(given: str, at: int) -> str | None:
    """Return what containers/image says of a name in manifest.json that is none with a tag; None where it is one."""
    found = parse(given)
    if isinstance(found, Invalid):
        return f'Invalid tag "{given}" in manifest item @{at}: {found.words}'
    if not found.tag:
        return f"Invalid tag {given} ({found.full}): does not contain a tag"
    if found.digest:
        what = f"docker-archive doesn't support digest references: {found.full}"
        return f'creating a reference for tag "{given}" in manifest item @{at}: {what}'
    return None


def parse(name: str) -> Reference | Invalid:
    """Return the parts of a name, or why it is none."""
    if len(name) == 64 and is_lower_hex(name):
        return Invalid(hexadecimal=name)
    rest, _, digest = name.partition("@")
    if "@" in name and not _DIGEST.fullmatch(digest):
        return Invalid()
    domain, path, given = _split(rest)
    path, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        return Invalid()
    if path != path.lower():
        return Invalid(cause="repository name must be lowercase")
    if not (_is_plain(path) or _PATH.fullmatch(path)) or not (domain == HUB or _HOST.fullmatch(domain)):
        return Invalid()
    if len(domain) + 1 + len(path) > 255:
        return Invalid(too_long=True)
    return Reference(domain=domain, path=path, tag=tag, digest=digest, given_domain=given)


def _is_plain(path: str) -> bool:
    """Whether a path of small letters has letters and digits alone between its slashes: it needs no pattern."""
    return path.isascii() and all(map(str.isalnum, path.split("/")))


def _split(name: str) -> tuple[str, str, bool]:
    first, slash, rest = name.partition("/")
    given = bool(slash) and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    domain, path = (first, rest) if given else (HUB, name)
    if domain == "index.docker.io":
        domain = HUB
    if domain == HUB and "/" not in path:
        path = f"library/{path}"
    return domain, path, given
