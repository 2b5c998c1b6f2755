"""Image names in the spellings that different producers write (distribution reference grammar, "familiar names")."""

from __future__ import annotations


def split(name: str) -> tuple[str, str]:
    """(repository, tag) of a name; the tag is `latest` when there is none."""
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        return head, tag
    return name, "latest"


def familiar(name: str) -> str:
    """`shop:1.4`, `org/shop:1.4`, `ghcr.io/org/shop:1.4`."""
    repository, tag = split(name)
    for prefix in ("docker.io/library/", "docker.io/", "index.docker.io/library/", "index.docker.io/"):
        if repository.startswith(prefix):
            return f"{repository[len(prefix) :]}:{tag}"
    return f"{repository}:{tag}"


def canonical(name: str) -> str:
    """`docker.io/library/shop:1.4`."""
    name = familiar(name)
    first, slash, _ = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"
