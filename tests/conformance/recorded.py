"""The recorded layer cases: loading them, and comparing one of our trees with what a real extractor made."""

from __future__ import annotations

import ast
import json
import os
import posixpath
import re
from pathlib import Path
from typing import Any, NamedTuple

from imagepeel.formats.tar.scanner import scan
from imagepeel.formats.tar.table import EntryTable
from imagepeel.rootfs.tree.inode import Inode
from imagepeel.rootfs.tree.overlay import Merged

BASE = Path(__file__).resolve().parents[3] / "shared" / "conformance" / "layers"
PRESENT = (BASE / "results.json").is_file()
RESULTS: dict[str, dict[str, dict[str, str]]] = json.loads((BASE / "results.json").read_text()) if PRESENT else {}
REFUSED: dict[str, list[str]] = json.loads((Path(__file__).parent / "refused_by_stores.json").read_text())
"""Case, packed as a docker-archive -> who refused it: dockerd 20.10.24 and podman 4.3.1 on overlay, ctr 1.6.20."""

_FACTS = re.compile(
    r"""(?P<kind>[fdlcbp])\ (?P<mode>\d+)\ (?P<uid>\d+):(?P<gid>\d+)
    (?:\ (?P<content>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))?
    (?:\ ->\ (?P<target>.*?))?(?:\ (?P<device>\d+,\d+))?(?:\ nlink=(?P<nlink>\d+))?(?:\ ==(?P<same>.*?))?
    (?P<xattrs>(?:\ \[.*?\])*)(?:\ @(?P<mtime>now|-?[\d.e+]+))?""",
    re.DOTALL | re.VERBOSE,
)
_XATTR = re.compile(r""" \[([^=]*)=('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]""", re.DOTALL)
_KINDS = {"file": "f", "dir": "d", "symlink": "l", "char": "c", "block": "b", "fifo": "p"}


class CaseLayer:
    """A layer as the views need it, with its bytes."""

    def __init__(self, index: int, data: bytes) -> None:
        scanned = scan(data)
        self.index = index
        self.table: EntryTable = scanned.table
        self.error = scanned.error
        self.anomalies = tuple(scanned.anomalies)
        self.data = data

    def read(self, entry: int) -> bytes:
        """The content of a member, holes filled."""
        member = self.table[entry]
        if member.sparse is None:
            return self.data[member.data_offset : member.data_offset + member.size]
        out = bytearray(member.size)
        at = member.data_offset
        for offset, length in member.sparse:
            out[offset : offset + length] = self.data[at : at + length]
            at += length
        return bytes(out)


def load(case: str) -> list[CaseLayer]:
    """The layers of a case, base first."""
    folder = BASE / "cases" / case
    return [CaseLayer(i, (folder / f"{i}.tar").read_bytes()) for i in range(len(list(folder.glob("*.tar"))))]


def path_comes_twice(layer: CaseLayer) -> bool:
    """Whether a layer has one path twice, told without the code that is tested."""
    names = [posixpath.normpath(os.fsdecode(entry.raw_name)) for entry in layer.table]
    return len(set(names)) < len(names)


class Facts(NamedTuple):
    """What both sides know of one path."""

    kind: str
    mode: int
    owner: tuple[int, int]
    content: bytes | None
    target: str | None
    device: tuple[int, int] | None
    nlink: int
    xattrs: tuple[tuple[str, bytes], ...]
    mtime: float | None


def parse(text: str) -> tuple[Facts, str | None]:
    """Facts of a recorded line, and the other path of the same inode."""
    match = _FACTS.fullmatch(text)
    assert match is not None, text
    content = match["content"]
    device = match["device"]
    mtime = match["mtime"]
    facts = Facts(
        kind=match["kind"],
        mode=int(match["mode"], 8),
        owner=(int(match["uid"]), int(match["gid"])),
        content=None if content is None else ast.literal_eval(content).encode("latin-1"),
        target=match["target"],
        device=None if device is None else tuple(map(int, device.split(","))),  # type: ignore[arg-type]
        nlink=int(match["nlink"] or 1),
        xattrs=tuple(
            sorted((name, ast.literal_eval(value).encode("latin-1")) for name, value in _XATTR.findall(match["xattrs"]))
        ),
        mtime=None if mtime in (None, "now") else float(mtime),
    )
    return facts, match["same"]


def label(path: tuple[bytes, ...]) -> str:
    """A path as the recording names it."""
    name = b"/".join(path)
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def flatten(root: Merged) -> dict[str, Inode]:
    """Every path of a tree but the root."""
    out: dict[str, Inode] = {}
    stack: list[tuple[tuple[bytes, ...], Merged]] = [((), root)]
    while stack:
        path, directory = stack.pop()
        for name, child in directory.children.items():
            node = child.top if isinstance(child, Merged) else child
            out[label((*path, name))] = node
            if isinstance(child, Merged):
                stack.append(((*path, name), child))
    return out


def differences(recorded: dict[str, str], root: Merged, layers: list[CaseLayer]) -> list[str]:
    """Where our tree is not what the extractor made, [] when nowhere.

    The recording cuts values of attributes to 12 bytes, gives times as floats and no link count of symlinks and
    directories, and names any other path of the same inode.
    """
    ours = flatten(root)
    out: list[str] = []
    for path in sorted((recorded.keys() - {"/"}) ^ ours.keys()):
        out.append(f"{path!r} is only {'recorded' if path in recorded else 'ours'}")
    top = root.top
    want = parse(recorded["/"])[0]
    if (want.mode, want.owner) != (top.mode, (top.uid, top.gid)):
        out.append(f"/: {want.mode:o} {want.owner} recorded, {top.mode:o} {(top.uid, top.gid)} ours")
    for path in sorted(recorded.keys() & ours.keys()):
        node = ours[path]
        if recorded[path].startswith("GHOST"):
            if node.kind != "ghost":
                out.append(f"{path!r}: a ghost recorded, {node.kind} ours")
            continue
        out.extend(f"{path!r}: {what}" for what in _compare(recorded, path, ours, layers))
    return out


def _compare(recorded: dict[str, str], path: str, ours: dict[str, Inode], layers: list[CaseLayer]) -> list[str]:
    node = ours[path]
    want, same = parse(recorded[path])
    if node.kind == "ghost":
        return ["ours is a ghost"]
    got: dict[str, Any] = {
        "kind": _KINDS[node.kind],
        "mode": node.mode,
        "owner": (node.uid, node.gid),
        "device": node.device,
        "target": label((node.target,)) if node.kind == "symlink" else None,
        "content": None,
    }
    if node.kind == "file":
        assert node.layer is not None and node.entry is not None
        got["content"] = layers[node.layer].read(node.entry)
    out = [f"{key} {getattr(want, key)!r} recorded, {got[key]!r} ours" for key in got if getattr(want, key) != got[key]]
    if node.kind == "file" and want.nlink != node.nlink:
        out.append(f"nlink {want.nlink} recorded, {node.nlink} ours")
    if same is not None and ours.get(same) is not node:
        out.append(f"{same!r} recorded as the same inode, not so ours")
    xattrs = tuple(sorted((name.decode("latin-1"), value[:12]) for name, value in node.xattrs.items()))
    if xattrs != want.xattrs:
        out.append(f"xattrs {want.xattrs!r} recorded, {xattrs!r} ours")
    seconds = None if node.mtime is None else node.mtime[0] + node.mtime[1] / 1e9
    if (seconds is None) != (want.mtime is None) or (seconds is not None and abs(seconds - (want.mtime or 0)) > 1e-6):
        out.append(f"mtime {want.mtime} recorded, {seconds} ours")
    return out
