"""The files of `--output FORMAT=FILE`: looked at before anything is read, written whole or not at all."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, NamedTuple

from imagepeel.errors import UsageError


class Output(NamedTuple):
    """One file to write: in which form, and where."""

    form: str
    path: str


class Files:
    """The files of one call, open beside their names; they take them when the `with` block of `opened` ends well."""

    def __init__(self, files: Mapping[Output, BinaryIO]) -> None:
        self._files = files

    def write(self, text: Callable[[str], str]) -> None:
        """Write each file; `text` returns what stands in a form."""
        for (form, _), file in self._files.items():
            file.write(text(form).encode("utf-8", "backslashreplace"))
        # A disk that is full says so before the first file takes its name.
        for file in self._files.values():
            file.flush()


def read_outputs(given: Iterable[str], forms: Sequence[str]) -> tuple[Output, ...]:
    """Return the files of `sarif=out.sarif,junit=out.xml`, given once or several times.

    A comma begins another file where a word and `=` follow.  UsageError for another form, a word without a file, and
    `-`, which is no file.
    """
    found = []
    for word in (part for words in given for part in re.split(r",(?=[A-Za-z]{1,20}=)", words)):
        form, equals, path = word.partition("=")
        if not equals or not path or not form:
            raise UsageError(f"--output is {word!r}", hint="write FORMAT=FILE, such as sarif=imagepeel.sarif")
        if form not in forms:
            near = difflib.get_close_matches(form, forms, n=1)
            hint = f"did you mean {near[0]}={path}?" if near else f"there are {', '.join(forms)}"
            raise UsageError(f"--output has no format {form!r}", hint=hint)
        if path == "-":
            raise UsageError("--output writes files", hint=f"--format {form} writes to standard output")
        found.append(Output(form, path))
    return tuple(found)


def keep_apart(written: Sequence[str], archives: Sequence[str], others: Sequence[str]) -> None:
    """UsageError where a file that is written is named twice, or is one that is read."""
    inputs = [path for path in (*archives, *others) if path not in ("", "-")]
    names: set[str] = set()
    for path in written:
        place = os.path.realpath(path)
        if place in names:
            raise UsageError(f"{path} is to be written twice", hint="name another file for each format")
        names.add(place)
        for other in inputs:
            same = os.path.realpath(other) == place
            if same or (os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)):
                what = "the archive" if other in archives else "a file"
                raise UsageError(f"{path} is {what} that is read", hint="write to another file")


@contextmanager
def opened(outputs: Sequence[Output]) -> Iterator[Files]:
    """Open all files, which appear under their names when the block ends; where it fails none does.

    UsageError at once for one that cannot be written.
    """
    from imagepeel.export.whole_file import replacing  # start time

    with ExitStack() as stack:
        yield Files({output: stack.enter_context(replacing(output.path)) for output in outputs})
