"""The stable codes of layer surprises, and the note of one place.  `docs/reference/view-codes.md` explains each."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from imagepeel.evidence import Location
from imagepeel.rootfs.engines.names import ViewName

Code = Literal[
    "RESURRECT",
    "ROOTOPQ",
    "ORDER",
    "GHOST",
    "LINKSHADOW",
    "FILETODIR",
    "XLINK",
    "LINKMETA",
    "IMPLIEDATTR",
    "ROOTATTR",
    "WHNAME",
    "BASEWHITEOUT",
    "AUFS",
    "OVLXATTR",
    "DUP",
    "DOTDOT",
    "PAXGLOBAL",
    "HDRDATA",
    "SPARSE83",
    "UIDWRAP",
    "MTIMECLAMP",
    "XATTRDROP",
    "HIDDENTAIL",
    "MEDIATYPE",
    "STARGZ",
    "TOCDIFF",
    "CASE",
    "CTRLCHAR",
    "DEVICE",
    "ROOTLESS",
    "DELETEDBYTES",
]

CODES: dict[Code, str] = {
    "RESURRECT": "A removed directory comes back with its old content",
    "ROOTOPQ": "An opaque mark at the root of a layer, which the kernel ignores",
    "ORDER": "A whiteout whose effect depends on its place among the entries of its layer",
    "GHOST": "A name that a directory lists and stat cannot find",
    "LINKSHADOW": "A directory takes the place of a symbolic link of a lower layer",
    "FILETODIR": "A layer puts files below what was a file",
    "XLINK": "A hardlink to a file that only a lower layer has",
    "LINKMETA": "A hardlink entry whose header changes the file that it shares",
    "IMPLIEDATTR": "A directory without an entry, whose attributes engines disagree about",
    "ROOTATTR": "An entry for the root itself, which engines treat differently",
    "WHNAME": "A whiteout with an impossible name, or a directory named like one",
    "BASEWHITEOUT": "A whiteout in the base layer, below which there is nothing to remove",
    "AUFS": "Bookkeeping of AUFS that was packed with the layer",
    "OVLXATTR": "Marks of overlayfs itself inside a tar",
    "DUP": "Two entries of one layer with the same path",
    "DOTDOT": "A name or link that climbs over the root",
    "PAXGLOBAL": "A PAX global header, which container runtimes ignore and tar programs obey",
    "HDRDATA": "An entry without content that states a size",
    "SPARSE83": "A sparse file in the old GNU form, which every engine refuses",
    "UIDWRAP": "An owner number that wraps or means something else",
    "MTIMECLAMP": "A modification time that engines replace",
    "XATTRDROP": "An extended attribute that some engines leave out",
    "HIDDENTAIL": "Bytes that belong to the layer and that no engine shows",
    "MEDIATYPE": "A label that does not fit the bytes",
    "STARGZ": "Files that a lazy-pulling compressor added to the root",
    "TOCDIFF": "A table of contents that tells another story than the tar",
    "CASE": "Two names that collide where case does not count",
    "CTRLCHAR": "A name or link target with control or bidirectional characters",
    "DEVICE": "A device node, which rootless engines leave out",
    "ROOTLESS": "Rootless engines and those without overlayfs show another filesystem",
    "DELETEDBYTES": "A file that a later layer removes and every pull still carries",
}
"""Code -> what it is about, in the order of the reference page."""


# What makes a note of a code less serious than the others of that code, or another thing.  A rule says in its data
# which severity it gives to them, and its page repeats these words.
class Degree(StrEnum):
    """What sets notes of one code apart, in words; PLAIN for the plain case."""

    PLAIN = ""
    NOTHING_LOST = "every name behind the link can still be reached by it"
    LINK_VANISHES = "the layer whites the target out, so that both names vanish and no engine refuses the layer"
    TIME_ONLY = "only the time differs"
    ATTRIBUTES_ONLY = "the entry is a directory, with an owner, a mode or attributes of its own"
    NAMELESS = "the whiteout names nothing, or the directory itself"
    SPELLED_APART = "one name has a slash in front and the other has not: one path for engines, two for tar-split"
    SIGNED = "the number fits into 32 bits: engines keep it, only programs with signed numbers misread it"
    IN_TARGET = "the target of a link has them and not a name"
    IN_WHITEOUT = "the bytes are the content of a whiteout"
    BELOW_DEV = "the node is below /dev, where every runtime mounts its own"


class ViewNote(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why engines, or people, may see something else in an image than they expect.

    code: a key of `CODES`.  message: one sentence about this place.  where: layer, entry, path.  views: those whose
    filesystem it changes or that refuse it; () when it is the same for all.  more: how many further places of the
    same code and layer were counted and are not listed.  touches: the paths whose content or attributes it explains.
    """

    code: Code
    message: str
    where: Location = Location()
    views: tuple[ViewName, ...] = ()
    more: int = 0
    touches: tuple[str, ...] = ()


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """The notes of one code in one layer that are equally serious.

    layer: its 0-based index, None for what the whole image shows.  degree: what sets them apart from others of
    the code.  notes: the first places, in the order of the entries, at most `MOST` of them.  more: how many further
    places were counted and are not listed.
    """

    code: Code
    layer: int | None
    degree: Degree
    notes: tuple[ViewNote, ...]
    more: int = 0

    @property
    def count(self) -> int:
        """How many places there are, listed or not."""
        return len(self.notes) + self.more


MOST = 8
"""Notes of one code, layer and degree that are listed; the last one counts the others."""
