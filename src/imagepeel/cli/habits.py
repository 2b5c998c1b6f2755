"""What people type out of habit with other tools, and how it is said here."""

from __future__ import annotations

from collections.abc import Sequence

_COMMANDS = {
    "-v": "imagepeel --version",
    "man": "imagepeel COMMAND --help",
    "history": "imagepeel layers ARCHIVE shows what made each layer, imagepeel dockerfile ARCHIVE all steps",
    "inspect": "imagepeel explain ARCHIVE tells what the image is, imagepeel images ARCHIVE what the archive holds",
    "manifest": "imagepeel images ARCHIVE shows what the archive holds, imagepeel explain ARCHIVE its documents",
    "run": "imagepeel process ARCHIVE predicts what would run; nothing is run here",
    "load": "imagepeel loadable ARCHIVE says who takes the file",
    "import": "imagepeel loadable ARCHIVE says who takes the file",
    "scan": "imagepeel wtf ARCHIVE tells what will surprise you, imagepeel check ARCHIVE is the gate for CI",
    "lint": "imagepeel wtf ARCHIVE tells what will surprise you, imagepeel check ARCHIVE is the gate for CI",
    "dive": "imagepeel layers ARCHIVE, imagepeel waste ARCHIVE and imagepeel tree ARCHIVE --layer N",
    "ll": "imagepeel ls ARCHIVE PATH -l",
}
_OPTIONS = {
    "find": {
        "-iname": "imagepeel find ARCHIVE 'PATTERN'; letters are compared as they are",
        "-empty": "imagepeel find ARCHIVE --size 0",
        "-path": "imagepeel find ARCHIVE 'usr/**/PATTERN'",
        "-type": "imagepeel find ARCHIVE --type LETTER",
        "-perm": "imagepeel find ARCHIVE --setuid, --setgid or --writable",
        "-user": "imagepeel find ARCHIVE --owner USER",
        "-group": "imagepeel find ARCHIVE --owner :GROUP",
        "-uid": "imagepeel find ARCHIVE --owner NUMBER",
        "-gid": "imagepeel find ARCHIVE --owner :NUMBER",
        "-mtime": "imagepeel find ARCHIVE --newer TIME, or --older TIME",
        "-newer": "imagepeel find ARCHIVE --newer TIME",
        "-print0": "imagepeel find ARCHIVE -0",
        "-ls": "imagepeel find ARCHIVE -l",
    },
    "du": {"-s": "imagepeel du ARCHIVE PATH --files 0", "-a": "imagepeel du ARCHIVE PATH --files N", "-b": "--bytes"},
    "process": {"-it": "imagepeel process ARCHIVE; whether a terminal is there changes no start"},
}


def way(words: Sequence[str]) -> str:
    """Return how what was typed is said here, "" where it is no habit that is known.

    `words` are those of the command line, the name of the program left out.
    """
    if not words:
        return ""
    first = words[0]
    if first in _COMMANDS:
        return _COMMANDS[first]
    habits = _OPTIONS.get(first, {})
    return next((habits[word] for word in words[1:] if word in habits), "")
