"""What a registry has: its repositories and their tags, page by page (distribution-spec, "Listing Tags"; the catalogue
is that of docker's registry, and registries may refuse it).
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlencode

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import FetchFailed, LimitExceeded
from imagepeel.serialization import from_json
from imagepeel.sources.image_name import ImageName
from imagepeel.sources.registry import Registry
from imagepeel.sources.request import Request

PAGE = 1_000
"""Names that a registry is asked for at a time; it may give fewer."""
MOST = 1_000_000
"""Pages of one listing."""
_HOST = late(r"registry:((?:localhost|\[[0-9a-fA-F:.]{2,45}\]|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+)(?::[0-9]{1,5})?)/?")


class _Page(msgspec.Struct):
    repositories: list[str] | None = None
    tags: list[str] | None = None


def host_of(word: str) -> str:
    """Return the host of a word that names a whole registry, as `registry:localhost:5000`; "" for any other word.

    A name with a dot or `localhost` is a host where no repository follows: on Docker Hub no image is called so.
    """
    found = _HOST.fullmatch(word)
    return found[1] if found is not None else ""


def images_of(host: str, request: Request) -> Iterator[str]:
    """Yield a word for each tag of each repository of a registry, in its order.

    FetchFailed or NotFound where it does not tell, or stops to; LimitExceeded past `MOST` pages.
    """
    lists = Registry(ImageName(host=host, repository="", tag="latest"), request)
    lists.scope = "registry:catalog:*"
    try:
        for repository in _names(lists, "_catalog", f"the catalogue of {host}"):
            tags = Registry(ImageName(host=host, repository=repository, tag="latest"), request)
            try:
                place = f"{quote(repository)}/tags/list"
                for tag in _names(tags, place, f"the tags of {repository}"):
                    yield f"registry:{host}/{repository}:{tag}"
            finally:
                tags.close()
    finally:
        lists.close()


def _names(registry: Registry, place: str, what: str) -> Iterator[str]:
    """Yield the names of all pages.  The next one is asked of the same host, whatever address a page gives for it."""
    query = urlencode({"n": str(PAGE)})
    for _ in range(MOST):
        answer = registry.get(f"{place}?{query}", what, {"Accept": "application/json"})
        link = answer.headers.get("Link", "")
        try:
            page = from_json(answer.read(registry.limits.json_bytes), _Page)
        except (msgspec.DecodeError, RecursionError) as error:
            raise FetchFailed(f"{registry.name.host} gives no list for {what}", hint=str(error)) from None
        names = (page.repositories if place == "_catalog" else page.tags) or []
        yield from names
        following = _next(link)
        if not following:
            return
        if not names or following == query:
            raise FetchFailed(f"{registry.name.host} gives the same page of {what} again and again")
        query = following
    raise LimitExceeded(f"{what} has more than {MOST:,} pages", hint="name its repositories in a list")


def _next(link: str) -> str:
    """Return the query of the address that a `Link` header calls the next one, "" where it names none (RFC 8288)."""
    for part in link.split(","):
        address, _, words = part.partition(">")
        if "next" in words and "?" in address:
            return quote(address.partition("?")[2], safe="=&%+-._~:/")
    return ""
