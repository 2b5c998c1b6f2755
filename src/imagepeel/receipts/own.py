"""The command of imagepeel itself that shows what somebody looks at, to copy into a shell or a note."""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.evidence import Name
from imagepeel.receipts.quoting import file_word, quote


def own_command(command: str, archive: Name, words: Sequence[Name] = (), options: Sequence[str] = ()) -> str:
    """Return `imagepeel COMMAND ARCHIVE WORDS OPTIONS` as bash source that can run nothing else."""
    return " ".join(["imagepeel", command, file_word(archive), *map(quote, words), *map(quote, options)])
