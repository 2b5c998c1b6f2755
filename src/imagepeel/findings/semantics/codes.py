"""The stable codes of notes about views, and the note itself.  `docs/reference/view-codes.md` explains each."""

from __future__ import annotations

import msgspec

from imagepeel.evidence import Location

ALL = ("runtime", "spec", "sequential", "docker", "podman")

CODES: dict[str, str] = {
    "RESURRECT": "A removed directory comes back with its old content",
    "ROOTOPQ": "An opaque mark at the root of a layer, which the kernel ignores",
    "ORDER": "A whiteout whose effect depends on its place among the entries of its layer",
    "GHOST": "A name that a directory lists and stat cannot find",
    "LINKSHADOW": "A directory takes the place of a symbolic link of a lower layer",
    "XLINK": "A hardlink to a file that only a lower layer has",
    "LINKMETA": "A hardlink entry whose header changes the file that it shares",
    "IMPLIEDATTR": "A directory without an entry, whose attributes engines disagree about",
    "ROOTATTR": "An entry for the root itself, which engines treat differently",
    "WHNAME": "A whiteout with an impossible name, or a directory named like one",
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


class ViewNote(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why engines, or people, may see something else in an image than they expect.

    code: a key of `CODES`.  message: one sentence about this place.  where: layer, entry, path.  views: those whose
    filesystem it changes or that refuse it; () when it is the same for all.  more: how many further places of the
    same code and layer were counted and are not listed.  touches: the paths whose content or attributes it explains.
    """

    code: str
    message: str
    where: Location = Location()
    views: tuple[str, ...] = ()
    more: int = 0
    touches: tuple[str, ...] = ()
