"""Which file of the image a word of a command line is, for the user of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.evidence import text
from imagepeel.formats.shebang import parse_shebang
from imagepeel.process.shell.interpreters import QUOTED_LIST, search
from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.process_spec import DEFAULT_PATH

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject


def find_program(subject: Subject, word: str) -> str | None:
    """The path of a program as `execvp` with the image's PATH finds it for its user, None when it does not."""
    path = next((entry[5:] for entry in subject.config.env if entry.startswith("PATH=")), DEFAULT_PATH)
    actor = Actor.of(subject.credentials, ("DAC_OVERRIDE",) if subject.uid == 0 else ())
    return search(subject.rootfs, word, path, subject.user.cwd, actor).path


def one_argument(subject: Subject) -> str | None:
    """What `env` is given as one word by the #! line of the first program, where that is more than a program's name."""
    path = subject.prediction().path if subject.starts else None
    shebang = parse_shebang(subject.read(path, 256)) if path is not None else None
    if shebang is None or not shebang.ok or shebang.argument is None:
        return None
    argument = text(shebang.argument)
    if not shebang.interpreter.endswith(b"/env") or " " not in argument or argument.startswith("-") or "=" in argument:
        return None
    return argument


def list_in_quotes(subject: Subject) -> str | None:
    """Return the line of a shell form that is a list in single quotes: meant as JSON, which has double ones."""
    line = subject.shell_line
    return line if line is not None and QUOTED_LIST.match(line) else None
