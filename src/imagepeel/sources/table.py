"""Which module answers for a word: one function a kind of source, which imports what it needs."""

from __future__ import annotations

import os
from collections.abc import Callable

from imagepeel.errors import UsageError
from imagepeel.receipts.quoting import quote
from imagepeel.sources.request import Given, Request, Version
from imagepeel.sources.words import SourceKind, Word, file_and_reference, not_fetched, not_there, parse


def _file(word: Word, _: Request) -> Given:
    path, reference = file_and_reference(word)
    return Given(what=path, reference=reference)


def _folder(word: Word, _: Request) -> Given:
    return Given(what=word.rest)


def _registry(word: Word, request: Request) -> Given:
    from imagepeel.sources.registry_members import open_registry  # start time

    return open_registry(word, request)


def _storage(word: Word, _: Request) -> Given:
    raise not_fetched(word, "podman save -o image.tar {}", "buildah push {} docker-archive:image.tar")


def _containerd(word: Word, _: Request) -> Given:
    raise not_fetched(word, "ctr images export image.tar {}", "nerdctl save -o image.tar {}")


def _sif(word: Word, _: Request) -> Given:
    line = f"skopeo copy sif:{quote(word.rest)} docker-archive:image.tar; then open image.tar"
    raise UsageError("a SIF file is one file system without layers, of which engines make an image first", hint=line)


def _docker(word: Word, request: Request) -> Given:
    from imagepeel.sources.engine_socket import docker  # start time

    return docker(word, request)


def _podman(word: Word, request: Request) -> Given:
    from imagepeel.sources.engine_socket import podman  # start time

    return podman(word, request)


def _web(word: Word, request: Request) -> Given:
    from imagepeel.sources.web import web  # start time

    return web(word, request)


def _objects(word: Word, request: Request) -> Given:
    from imagepeel.sources.object_store import objects  # start time

    return objects(word, request)


SOURCES: dict[SourceKind, Callable[[Word, Request], Given]] = {
    "docker": _docker,
    "podman": _podman,
    "web": _web,
    "objects": _objects,
    "registry": _registry,
    "file": _file,
    "folder": _folder,
    "storage": _storage,
    "containerd": _containerd,
    "sif": _sif,
}
"""The function of each kind that `words.PREFIXES` names."""


def _engine_version(word: Word, request: Request) -> Version | None:
    from imagepeel.sources.engine_socket import engine_version  # start time

    return engine_version(word, request)


def _registry_version(word: Word, request: Request) -> Version | None:
    from imagepeel.sources.registry_members import registry_version  # start time

    return registry_version(word, request)


def _web_version(word: Word, request: Request) -> Version | None:
    from imagepeel.sources.web import web_version  # start time

    return web_version(word, request)


VERSIONS: dict[SourceKind, Callable[[Word, Request], Version | None]] = {
    "docker": _engine_version,
    "podman": _engine_version,
    "web": _web_version,
    "registry": _registry_version,
}
"""The function of each kind that can be asked before anything comes."""


def find(word: str, request: Request) -> Given:
    """Return what stands behind a word that is no file of this machine.

    PathNotFound, with the lines to type, when it names no source; the errors of its source else.
    """
    meaning = parse(word)
    opens = SOURCES.get(meaning.kind) if meaning is not None else None
    if meaning is None or opens is None:
        raise not_there(word)
    return opens(meaning, request)


def version(word: str, request: Request) -> Version | None:
    """Return what tells whether a word still stands for the same bytes, None where nothing does without opening it.

    NotFound and FetchFailed as `find` raises them.
    """
    meaning = None if os.path.lexists(word) else parse(word)
    asks = VERSIONS.get(meaning.kind) if meaning is not None else None
    return asks(meaning, request) if meaning is not None and asks is not None else None
