"""The name of an image in a registry, as docker reads it: where it is, which repository, which tag or digest."""

from __future__ import annotations

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import UsageError
from imagepeel.oci.digest import problem

_HUB, _HUB_HOST = "docker.io", "registry-1.docker.io"
_HOST = late(r"(?:[a-zA-Z0-9][a-zA-Z0-9.-]{0,252}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?")
_PART = late(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = late(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


class ImageName(msgspec.Struct, frozen=True, kw_only=True):
    """`host` is as people write it, `docker.io` where they leave it out; one of `tag` and `digest` is not ""."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def address(self) -> str:
        """The host and port that answer for it."""
        return _HUB_HOST if self.host == _HUB else self.host

    @property
    def last(self) -> str:
        """What stands for the manifest in a request: the digest, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def parse_name(text: str) -> ImageName:
    """Return the parts of `[HOST/]NAME[:TAG][@DIGEST]`.

    The first part is a host when it has a dot, a colon or an upper-case letter, or is `localhost`; else the image is on
    Docker Hub, where a name of one part lies in `library/`.  A digest counts more than a tag, and `latest` stands for
    neither.  UsageError when it is no such name.
    Source: distribution/reference, normalize.go.
    """
    rest, at, digest = text.partition("@")
    host, slash, path = rest.partition("/")
    if not slash or not (set(host) & set(".:[") or host == "localhost" or host != host.lower()):
        host, path = _HUB, rest
    if host in ("index.docker.io", _HUB_HOST):
        host = _HUB
    repository, colon, tag = path.partition(":")
    if host == _HUB and "/" not in repository:
        repository = "library/" + repository
    wrong = ""
    if not _HOST.fullmatch(host):
        wrong = f"{host} is no host"
    elif len(repository) > 255 or not all(_PART.fullmatch(part) for part in repository.split("/")):
        wrong = "a name has lower-case letters, digits and single separators"
    elif colon and not _TAG.fullmatch(tag):
        wrong = f"{tag!r} is no tag"
    elif at:
        wrong = problem(digest)
    if wrong:
        raise UsageError(f"{text} is no name of an image: {wrong}", hint="write HOST/NAME:TAG or HOST/NAME@DIGEST")
    return ImageName(host=host, repository=repository, tag=tag or ("" if at else "latest"), digest=digest)
