"""Which module answers for a word: one function a kind of source, which imports what it needs."""

from __future__ import annotations

from collections.abc import Callable

from imagepeel.sources.request import Given, Request
from imagepeel.sources.words import Word, file_and_reference, not_fetched, not_there, parse


def _file(word: Word, _: Request) -> Given:
    path, reference = file_and_reference(word)
    return Given(what=path, reference=reference)


def _export(word: Word, _: Request) -> Given:
    raise not_fetched(word)


SOURCES: dict[str, Callable[[Word, Request], Given]] = {
    "file": _file,
    "export": _export,
}
"""The function of each kind that `words.PREFIXES` names."""


def find(word: str, request: Request) -> Given:
    """Return what stands behind a word that is no file of this machine.

    PathNotFound, with the lines to type, when it names no source; the errors of its source else.
    """
    meaning = parse(word)
    if meaning is None:
        raise not_there(word)
    return SOURCES[meaning.kind](meaning, request)
