"""What a tool says about one image of an archive, as values."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Location

Store = Literal["", "own", "containerd"]
"""Which store of an engine the image goes into; "" where the engine has one only."""
IdOf = Literal["", "config", "manifest", "index"]
"""Which document has the digest that a tool shows as the image's ID."""

Known = Literal["measured", "older", "read"]
"""How it is known what a tool does."""

TMP = "<tmp>"
"""Stands for the temporary directory of a tool."""
FILE = "<file>"
"""Stands for the path of the archive as it was typed."""
STORE = "<store>"
"""Stands for the directory where a store unpacks a layer."""
NUMBER = "<n>"
"""Stands for an offset that only the tool's decompressor counts."""
NETWORK = "<error>"
"""Stands for what the network says of an address that does not answer."""
PLACES = (FILE, TMP, STORE, NUMBER, NETWORK)
"""What stands in the texts of tools for what differs from run to run, or is not computed here."""


class Outcome(StrEnum):
    """Whether a tool takes an image."""

    TAKES = "takes"
    REFUSES = "refuses"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why a tool refuses."""

    FORMAT = "format"
    CUT = "cut"
    MISSING = "missing"
    NAMES = "names"
    PLATFORM = "platform"
    CHOICE = "choice"
    DIGEST = "digest"
    LENGTH = "length"
    MANIFEST = "manifest"
    CONFIG = "config"
    COUNT = "count"
    DEPTH = "depth"
    PATH_TWICE = "path-twice"
    UNPACK = "unpack"

    @property
    def words(self) -> str:
        """What it means, for people."""
        return _CAUSES[self]

    @property
    def of_image(self) -> bool:
        """Whether the image itself is refused: no other archive, name, option or transport changes that."""
        return self in _OF_IMAGE


_CAUSES = {
    Cause.FORMAT: "it does not read archives of this kind, or not as this one is packed",
    Cause.CUT: "the archive ends before the document that would describe the image",
    Cause.MISSING: "a part of the image is not in the archive, or damaged",
    Cause.NAMES: "a name of the image is none for this tool, or the tool needs one",
    Cause.PLATFORM: "it takes images for other platforms only",
    Cause.CHOICE: "the archive holds several images, and the tool wants one to be chosen, or takes another",
    Cause.DIGEST: "bytes do not have the digest that is stated of them",
    Cause.LENGTH: "a path is too long below the directory of the store",
    Cause.MANIFEST: "the manifest, or its place in the index, is none for this tool",
    Cause.CONFIG: "the config is none for this tool: no JSON, no `rootfs`, or a value of another type",
    Cause.COUNT: "manifest and config count the layers differently",
    Cause.DEPTH: "it has more layers than the store puts on each other",
    Cause.PATH_TWICE: "a layer has one path twice",
    Cause.UNPACK: "a layer cannot be unpacked",
}
_OF_IMAGE = frozenset({Cause.MANIFEST, Cause.CONFIG, Cause.COUNT, Cause.DEPTH, Cause.PATH_TWICE, Cause.UNPACK})


class LoadAnswer(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether one tool takes an image: under which name and ID, or why not.

    `text` is what the person reads who tries it, with `<tmp>`, `<file>` and `<store>` for what depends on the machine,
    and `<n>` for an offset in compressed data.
    """

    outcome: Outcome
    """takes, refuses or unknown."""
    tool: str = ""
    """Engine and version, such as `docker@28`."""
    store: Store = ""
    """Which of its stores: `own` or `containerd`; "" where it has one only."""
    command: str = ""
    """The command that loads, with `<file>` for the archive."""
    names: tuple[str, ...] = ()
    """takes: names that the image has afterwards, in the order of the archive; () for none."""
    id: str = ""
    """takes: what the engine shows as image ID, a digest; "" where it keeps none or it cannot be told."""
    id_of: IdOf = ""
    """takes: the document that `id` is the digest of."""
    cause: Cause | None = None
    """refuses: why, as a word."""
    text: str = ""
    """refuses: what the tool prints, with its line breaks."""
    exit_code: int | None = None
    """Exit status of the command, 0 to 255; None where it is unknown."""
    why: str = ""
    """refuses, unknown: the cause in the archive, in words."""
    ways: tuple[str, ...] = ()
    """refuses: what to do instead, one way each."""
    notes: tuple[str, ...] = ()
    """What else to know, one sentence each."""
    where: Location | None = None
    """refuses: the place that decides; None without one."""
    evidence: Known = "read"
    """measured: this version was watched ending so, with these words up to names, paths, digests and numbers, on an
    archive that is described so; older: an older version was; read: its source says so."""
    source: str = ""
    """What was run or read, with its version."""

    @property
    def label(self) -> str:
        """LoadTool and store as people write them: `podman@5.8`, `docker@28 (own store)`."""
        return f"{self.tool} ({self.store} store)" if self.store else self.tool

    @property
    def takes(self) -> bool:
        """Whether the image is in the store afterwards."""
        return self.outcome is Outcome.TAKES

    @property
    def refuses(self) -> bool:
        """Whether the tool is known not to take it."""
        return self.outcome is Outcome.REFUSES

    @property
    def refuses_image(self) -> bool:
        """Whether the image itself is refused, however it gets there."""
        return self.refuses and self.cause is not None and self.cause.of_image

    def __bool__(self) -> bool:
        """Whether the tool takes it: what is unknown is not taken."""
        return self.takes

    def __str__(self) -> str:
        if self.takes:
            shown = ", ".join(self.names) or "without a name"
            return f"{self.label} takes it: {shown}"
        return f"{self.label} {self.outcome}: {self.text.splitlines()[-1] if self.text else self.why}"


def refusal(
    cause: Cause, text: str, why: str, *ways: str, where: Location | None = None, exit_code: int = 1
) -> LoadAnswer:
    """Return a refusal; the tool's own fields are filled in by `LoadTool.answer`."""
    return LoadAnswer(
        outcome=Outcome.REFUSES, cause=cause, text=text, why=why, ways=ways, where=where, exit_code=exit_code
    )
