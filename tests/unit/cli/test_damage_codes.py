"""One rule of exit codes for all commands and every kind of damage: 12 before 11 before 14, after what can be said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from damaged import GRAVEST, damaged
from missing import READERS

Run = Callable[..., Any]

OTHERS: tuple[tuple[str, ...], ...] = (
    ("loadable", "ARCHIVE"),
    ("anatomy", "ARCHIVE"),
    ("trace", "ARCHIVE", "/etc/passwd"),
    ("blame", "ARCHIVE", "/etc/passwd"),
    ("log", "ARCHIVE", "/etc/passwd"),
    ("cat", "ARCHIVE", "/etc/passwd"),
    ("ls", "ARCHIVE", "/no/such"),
    ("diff", "ARCHIVE", "WHOLE"),
    ("diff", "--exit-code", "ARCHIVE", "WHOLE"),
    ("extract", "ARCHIVE", "OUT"),
    ("flatten", "ARCHIVE", "-o", "OUT"),
    ("bundle", "ARCHIVE", "OUT"),
    ("check", "ARCHIVE"),
)
COMMANDS = (*((*words, "ARCHIVE") for words in READERS), *OTHERS)
SOUND = {"ls ARCHIVE /no/such": 14}
"""What ends otherwise than with 0 where nothing is damaged."""
NEED_THE_LAYER = {
    "process": 14, "process --matrix": 14, "cat": 14, "extract": 14, "flatten": 14, "bundle": 14,
    "ls ARCHIVE /no/such": 14,
}  # fmt: skip
"""Commands whose answer needs the missing layer; `diff` knows it by its digest."""
DOCUMENTS_ONLY = {"layer digest", "layer size", "DiffID", "cut layer", "docker DiffID", "docker cut layer"}
"""What `images` does not see: it reads no layer."""
OF_OTHER_FILES = {("cat", "layer digest"), ("cat", "docker DiffID")}
"""`cat` judges of the layers only those that it read, and those above that may replace the file."""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return damaged(tmp_path_factory.mktemp("damaged"))


def expected(words: tuple[str, ...], kind: str) -> int:
    """The code that the page of exit codes gives."""
    line, command = " ".join(words), words[0]
    gravest = GRAVEST.get(kind, 0)
    if command == "check":
        return 1 if kind != "whole" else 0
    if command == "images" and kind in DOCUMENTS_ONLY:
        return 0
    if (command, kind) in OF_OTHER_FILES:
        return 0
    if kind in ("no layer", "docker no layer"):
        names = (line, line.removesuffix(" ARCHIVE"), command)
        return next((NEED_THE_LAYER[name] for name in names if name in NEED_THE_LAYER), 0)
    return gravest or SOUND.get(line, 0)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_ends_as_the_page_says(
    words: tuple[str, ...], archives: dict[str, Path], run_cli: Run, tmp_path: Path
) -> None:
    assert set(archives) == {"whole", *GRAVEST}
    ended, right = {}, {}
    for number, (kind, archive) in enumerate(archives.items()):
        places = {"ARCHIVE": archive, "WHOLE": archives["whole"], "OUT": tmp_path / str(number)}
        done = run_cli(*(places.get(word, word) for word in words))
        ended[kind], right[kind] = done.exit_code, expected(words, kind)
        if done.exit_code > 1:
            assert done.stderr.count("\nerror: ") + done.stderr.startswith("error: ") == 1, (kind, done.stderr)
    assert ended == right
