"""Symbolic links that lead out of an extracted directory.

Inside a container `/etc/x` is a path of the image.  In a directory on this machine the same link leads to the machine's
own `/etc/x`, and a copy that follows links takes that file or writes through it.
"""

from __future__ import annotations

from collections.abc import Mapping

from imagepeel.evidence import text
from imagepeel.export.plan import Plan
from imagepeel.export.report import EscapingLink, Omissions

_HOPS = 40
"""Links that Linux follows on one path (path_resolution(7))."""


def leaves(path: bytes, links: Mapping[bytes, bytes]) -> bool:
    """Whether following a link of a tree leads above the tree's root, also by way of other links of it.

    Arguments: `path` and the keys of `links` are relative to the root, without a slash in front.
    """
    *done, _ = path.split(b"/")
    ahead = [links[path]]
    hops = 1
    while ahead:
        target = ahead.pop()
        if target.startswith(b"/"):
            return True
        first, slash, rest = target.partition(b"/")
        if slash and rest.lstrip(b"/"):
            ahead.append(rest.lstrip(b"/"))
        if first == b"..":
            if not done:
                return True
            done.pop()
        elif first not in (b"", b"."):
            done.append(first)
            further = links.get(b"/".join(done))
            if further is not None:
                hops += 1
                if hops > _HOPS:
                    return False  # it leads nowhere
                done.pop()
                ahead.append(further)
    return False


def escaping(plan: Plan, omissions: Omissions, *, drop: bool) -> list[EscapingLink]:
    """Return the links of a plan that lead out of it, by path; with `drop` they are taken out of it and omitted."""
    targets = {path: node.target for path, node in plan.others if node.kind == "symlink"}
    names = {path: targets[source] for path, source in plan.links if source in targets}
    links = {**targets, **names}
    found = sorted(path for path in links if leaves(path, links))
    out = [EscapingLink(path="/" + text(path), target=text(links[path])) for path in found]
    if not drop or not found:
        return out
    gone = set(found)
    plan.others = [(path, node) for path, node in plan.others if path not in gone]
    plan.symlinks -= len(gone & targets.keys())
    # A further name of a link that is not made has nothing to be linked to.
    lost = {path for path, source in plan.links if path in gone or source in gone}
    plan.links = [(path, source) for path, source in plan.links if path not in lost]
    for path in sorted(gone | lost):
        omissions.add("symbolic links that lead out of the directory", "/" + text(path))
    return out
