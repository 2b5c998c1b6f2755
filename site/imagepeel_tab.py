"""One command line of imagepeel in the tab: what it shows as a page, and what it says besides."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout

from imagepeel.cli import cli
from imagepeel.cli.progress import Progress

MADE = "/made"
PAGE = "/page"


def run(
    words: Iterable[str], archive: str, gallery: str, recipe: str, progress: Callable[[int, int], object]
) -> tuple[int, str, str, str]:
    """Run `words[0]` about an archive, a teaching image or a recipe.

    Returns exit code, page or JSON, complaints, and the path of the archive that was made, "" for none.

    `archive` is the path of a mounted file, `gallery` the name of a teaching image, `recipe` a description for the
    forge; the one that is not "" is taken.  `progress` gets bytes so far and all of them, 0 where that is not known.
    """
    command, *options = words
    Progress.listener = lambda done, total: progress(done, total or 0)
    made = ""
    if not archive:
        archive = made = f"{MADE}/{gallery or 'recipe'}.tar"
        code, _, errors = _made(archive, gallery, recipe)
        if code:
            return code, "", errors, ""
    # Pages and commands to copy name the file as it is called on the machine of the visitor.
    os.chdir(os.path.dirname(archive))
    name = os.path.basename(archive)
    archive = f"./{name}" if name.startswith("-") else name
    if command == "report":
        asked = [command, archive, "-o", PAGE, *options]
    elif "--json" in options:
        asked = [command, archive, *options]
    else:
        asked = [command, archive, "--html", PAGE, *options]
    if os.path.exists(PAGE):
        os.unlink(PAGE)
    code, out, errors = _called(asked)
    os.chdir("/")  # what is mounted can go
    if os.path.exists(PAGE):
        with open(PAGE, encoding="utf-8") as file:
            out = file.read()
    return code, out, errors, made


def _made(archive: str, gallery: str, recipe: str) -> tuple[int, str, str]:
    os.makedirs(MADE, exist_ok=True)
    if not recipe:
        return _called(["forge", gallery, archive, "--force"])
    with open(f"{MADE}/recipe.json", "w", encoding="utf-8") as file:
        file.write(recipe)
    return _called(["forge", "--from", f"{MADE}/recipe.json", archive, "--force"])


def _called(words: list[str]) -> tuple[int, str, str]:
    out, errors = io.StringIO(), io.StringIO()
    code = 0
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            cli.main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return code, out.getvalue(), errors.getvalue()
