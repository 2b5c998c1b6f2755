"""A command line in one text, split as compose and systemd split it: no shell takes part, nothing is expanded."""

from __future__ import annotations

import shlex

from imagepeel.deploy.place import Place, malformed


def split_words(text: str, place: Place) -> tuple[str, ...]:
    """Return the words of a text with quotes and backslashes, as a POSIX shell parses words.

    Source: docs.docker.com, "command" of the compose file reference; systemd.service(5), "Command lines".  Malformed
    for a quote that does not end.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise malformed(place, f"the command line cannot be split: {error}") from None
