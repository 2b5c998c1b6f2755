"""Which packages one image has and another has not, and of which it has another version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from imagepeel._display import Shown
from imagepeel.packages.record import FAMILIES, Family
from imagepeel.results.difference import ChangeKind

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.packages.inventory import Inventory, Package


class PackageChange(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One package that differs.  `before` and `after` are its versions, "" where it is not installed."""

    kind: ChangeKind
    family: Family
    name: str
    before: str
    after: str
    content_before: int
    """Bytes of its files that the first image shows."""
    content_after: int
    """Bytes of its files that the second image shows."""


class PackagesDifference(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The installed packages of two images against each other; a package for another machine counts as the same.

    `complete` is false where a layer or a database of one side could not be read: what seems to be added or removed
    may then be on both sides.
    """

    added: int
    removed: int
    changed: int
    same: int
    """Count of packages that both have in the same version."""
    complete: bool
    changes: tuple[PackageChange, ...]
    """By family, then by name."""


def packages_difference(first: LayeredImage, second: LayeredImage) -> PackagesDifference | None:
    """Return the difference, None where no side has a database that is known and everything was read."""
    from imagepeel.packages.inventory import inventory  # start time

    sides = (first.derived(inventory), second.derived(inventory))
    if not any(side.databases for side in sides):
        return None
    before, after = map(_by_name, sides)
    changes: list[PackageChange] = []
    same = 0
    for key in sorted({*before, *after}, key=lambda key: (FAMILIES.index(key[0]), key[1])):
        old, new = before.get(key, []), after.get(key, [])
        common = Counter(map(_version, old)) & Counter(map(_version, new))
        same += common.total()
        changes += _changes(key, _without(old, common), _without(new, common))
    kinds = Counter(change.kind for change in changes)
    return PackagesDifference(
        added=kinds["added"],
        removed=kinds["removed"],
        changed=kinds["changed"],
        same=same,
        complete=all(side.complete for side in sides),
        changes=tuple(changes),
    )


def _by_name(side: Inventory) -> dict[tuple[Family, str], list[Package]]:
    from imagepeel.packages.system import project  # start time

    out: dict[tuple[Family, str], list[Package]] = {}
    for package in side.packages:
        if package.installed:
            name = project(package.name) if package.family == "pip" else package.name
            out.setdefault((package.family, name), []).append(package)
    return out


def _version(package: Package) -> str:
    return f"{package.epoch}:{package.version}" if package.epoch else package.version


def _without(packages: list[Package], common: Counter[str]) -> list[Package]:
    """Return those of which the other side has no equal, in the order of versions."""
    left = common.copy()
    out = []
    for package in sorted(packages, key=_version):
        if left[_version(package)] > 0:
            left[_version(package)] -= 1
        else:
            out.append(package)
    return out


def _changes(key: tuple[Family, str], old: list[Package], new: list[Package]) -> Iterator[PackageChange]:
    """Pair what is left of one name: one version on each side is a change, the rest came or went."""
    for at in range(max(len(old), len(new))):
        one = old[at] if at < len(old) else None
        two = new[at] if at < len(new) else None
        yield PackageChange(
            kind="added" if one is None else "removed" if two is None else "changed",
            family=key[0],
            name=key[1],
            before=_version(one) if one is not None else "",
            after=_version(two) if two is not None else "",
            content_before=one.content if one is not None else 0,
            content_after=two.content if two is not None else 0,
        )
