"""Which notes say why views disagree about a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagepeel.findings.semantics.codes import Code, ViewNote
from imagepeel.rootfs.engines.names import ViewName


class Reasons:
    """Finds the notes that speak of a path: those about itself, then about the nearest directory above it."""

    def __init__(self, reasons: Sequence[ViewNote]) -> None:
        self._by_path: dict[str, list[ViewNote]] = {}
        for note in reasons:
            if note.views and note.code != "ROOTLESS":
                for path in note.touches:
                    self._by_path.setdefault(path, []).append(note)

    def codes(self, path: str, shown: Mapping[ViewName, Any]) -> tuple[Code, ...]:
        """Return the codes of the notes that explain what the views show at a path, () where none does."""
        here = path
        groups = list(shown.values())
        odd = {name for name, facts in shown.items() if groups.count(facts) * 2 <= len(groups)}
        while True:
            fit = [note for note in self._by_path.get(here, ()) if odd.intersection(note.views) or not odd]
            if fit:
                return tuple(dict.fromkeys(note.code for note in fit))
            if here in ("", "/"):
                return ()
            here = here.rpartition("/")[0] or "/"
