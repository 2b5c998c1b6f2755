"""The packages of an image: who brought each, how large it is, what became of it, and what belongs to none.

Sizes are bytes of file content as the layers' tars store them, each inode once.  A file that two packages claim counts
for both, and once in the sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Evidence, Location, text
from imagepeel.packages.claims import Aliases, Claims, Life, Stored, stored_files
from imagepeel.packages.databases import Databases, Found
from imagepeel.packages.record import FAMILIES, Family, Shipped
from imagepeel.packages.registry import KINDS, SYSTEMS
from imagepeel.packages.system import os_release, package_url, project
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage

Happened = Literal["installed", "changed", "removed"]
"""What a layer does to a package."""

MOST_UNCLAIMED = 1_000
"""Files without a package that are named, the largest of them."""


class PackageEvent(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one layer did to a package, as its database tells it."""

    what: Happened
    layer: int
    """Index from 0."""
    version: str = ""
    """The version that it brought; "" where it removed the package."""
    before: str = ""
    """The version that was there; "" where it was not installed."""


class Package(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One package that an image has, or had in a layer that it still ships.

    `content` counts what the image shows of its files, `hidden` what layers ship of them and later ones took away or
    replaced.  Of a removed package `content` are files that were left behind: they belong to none any more.
    """

    family: Family
    name: str
    version: str
    """As the database has it; of an rpm version and release, without the epoch."""
    arch: str = ""
    epoch: str = ""
    """Of an rpm; "" without one."""
    state: str = ""
    """Of dpkg, where it is not `installed`."""
    source: str = ""
    """The source package, where it has another name."""
    purl: str
    """Package URL."""
    installed: bool
    """Whether the image still has it; False where a layer removed it."""
    layer: int
    """Index from 0 of the layer that brought this version."""
    step: int | None = None
    """Index from 0 of the history step that made this layer."""
    events: tuple[PackageEvent, ...]
    """What layers did to it, base first."""
    files: int | None = None
    """Count of the paths that its database lists, None where it lists none."""
    absent: int = 0
    """Count of those of them that the image does not show."""
    content: int = 0
    """Bytes of its files that the image shows."""
    stored: int = 0
    """Their share of the layers as stored, by content, rounded."""
    hidden: int = 0
    """Bytes of its files that are shipped and cannot be seen."""
    hidden_stored: int = 0
    """Their share of the layers as stored, by content, rounded."""
    by_layer: dict[int, int] = {}
    """Bytes that each layer ships for it, seen or not, by the layer's index from 0."""
    within: str = ""
    """The package URL of the package of the system that brought this one's record, "" without one."""
    evidence: Evidence = Evidence()
    """The file of the database that has the record."""
    place: str = ""
    """Where in this file: `line N`, `byte N`."""


class UnclaimedFile(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A regular file that the image shows and no package claims."""

    path: str
    layer: int
    """Index from 0."""
    entry: int
    """Index from 0 of the tar member."""
    size: int
    """Bytes of content as the tar stores them."""
    was: str = ""
    """Name of a removed package that listed it, "" without one."""


class PackageDatabase(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One family of databases that was found: its files that hold records, and how many packages they tell of."""

    family: Family
    paths: tuple[str, ...]
    """Of a family with a database for each package, those of the first few."""
    files: int
    """Count of files that hold records, in all layers."""
    layers: tuple[int, ...]
    """Indexes from 0 of the layers that bring one."""
    installed: int
    """Count of packages that the image has."""
    removed: int
    """Count of packages that layers had and a later one removed."""


class PackageDoubt(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of a database could not be read."""

    family: Family
    path: str
    layer: int
    """Index from 0."""
    entry: int
    """Index from 0 of the tar member."""
    place: str = ""
    """Where in the file: `line N`, `byte N`; "" for the file as a whole."""
    why: str


class Inventory(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """All packages of an image.  `claimed` + `unclaimed` is the content of all files that the image shows.

    `complete` is False when a layer is missing or damaged, a database could not be read to its end, or a runtime
    refuses the image: then more packages may be there, and what is unclaimed may have an owner.
    """

    packages: tuple[Package, ...]
    """Installed ones first; by family in the order of `looked_for`, then by name."""
    databases: tuple[PackageDatabase, ...]
    doubts: tuple[PackageDoubt, ...]
    """What could not be read."""
    doubts_total: int
    claimed: int
    """Bytes of visible files that belong to a package."""
    unclaimed: int
    """Bytes of visible files that belong to none."""
    unclaimed_files: int
    """Count of those."""
    unclaimed_by_layer: dict[int, int]
    """Their bytes by the layer's index from 0."""
    largest_unclaimed: tuple[UnclaimedFile, ...]
    """The largest of them, by size and then by path; at most 1,000."""
    looked_for: tuple[str, ...]
    """Which databases were looked for, and where."""
    complete: bool

    def __repr__(self) -> str:
        return f"<Inventory {plural(sum(one.installed for one in self.packages), 'package')}>"


def inventory(image: LayeredImage) -> Inventory:
    """Return the packages of an image, joined with its layers.  LimitExceeded on bombs."""
    return _Join(Databases(image)).run()


class _Row:
    """One package while its records are joined and its bytes are counted."""

    __slots__ = ("absent", "by_layer", "found", "hidden", "life", "seen", "within")

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.life: list[Life] = []
        self.seen: dict[int, int] = {}
        self.hidden: dict[int, int] = {}
        self.absent = 0
        self.within: int | None = None

    @property
    def last(self) -> Found:
        return self.found[-1]

    @property
    def installed(self) -> bool:
        return any(found.file.until is None for found in self.found)


def _base_key(found: Found) -> tuple[str, bytes, str]:
    """What stays the same of a package from version to version."""
    kind, file, record = found
    if kind.family == "npm":
        return kind.family, file.directory, record.name
    if kind.family == "pip":
        folder = file.directory if file.path.endswith(b".egg-info") else file.directory.rpartition(b"/")[0]
        return kind.family, folder, project(record.name)
    return kind.family, b"", record.name if record.single else f"{record.name} {record.version}"


class _Join:
    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.image: LayeredImage = databases.image
        self.system: dict[str, str] = os_release(databases.rootfs)
        self.rows: list[_Row] = _joined(databases.found())
        self.unclaimed: list[UnclaimedFile] = []
        self.unclaimed_by_layer: dict[int, int] = {}
        self.claimed: int = 0
        self.left: int = 0
        self.count: int = 0

    def run(self) -> Inventory:
        aliases = Aliases(self.databases.rootfs)
        living, past = Claims(aliases), Claims(aliases)
        for number, row in enumerate(self.rows):
            lists: set[int] = set()
            for found in sorted(row.found, key=lambda found: found.file.until is not None):
                files = found.record.files or ()
                if id(files) not in lists or found.record.below:
                    lists.add(id(files))
                    (living if found.file.until is None else past).add(number, files, found.record.below)
        shown: set[bytes] = set()
        for file, owners, earlier in stored_files(self.databases, aliases, living, past):
            if file.visible:
                shown.add(file.folder)
                if owners:
                    shown.add(file.path)
                self._seen(file, owners, earlier)
            else:
                self._lost(file, list(dict.fromkeys([*owners, *earlier])))
        self._absent(shown, aliases)
        self._within(living, aliases)
        return self._result()

    def _seen(self, file: Stored, living: Sequence[int], earlier: Sequence[int]) -> None:
        for owner in living:
            row = self.rows[owner]
            row.seen[file.layer] = row.seen.get(file.layer, 0) + file.size
        if living:
            self.claimed += file.size
            return
        owners = [owner for owner in earlier if not self.rows[owner].installed]
        for owner in owners:
            row = self.rows[owner]
            row.seen[file.layer] = row.seen.get(file.layer, 0) + file.size
        self.left += file.size
        self.count += 1
        self.unclaimed_by_layer[file.layer] = self.unclaimed_by_layer.get(file.layer, 0) + file.size
        was = self.rows[owners[0]].last.record.name if owners else ""
        self.unclaimed.append(
            UnclaimedFile(path=text(file.path), layer=file.layer, entry=file.entry, size=file.size, was=was)
        )
        if len(self.unclaimed) > 20 * MOST_UNCLAIMED:
            self.unclaimed = self._largest()

    def _largest(self) -> list[UnclaimedFile]:
        return sorted(self.unclaimed, key=lambda file: (-file.size, file.path))[:MOST_UNCLAIMED]

    def _lost(self, file: Stored, owners: list[int]) -> None:
        """Count a file that is hidden for those that owned it in its layer."""
        then = [owner for owner in owners if any(life.has(file.layer) for life in self.rows[owner].life)] or owners
        for owner in then:
            row = self.rows[owner]
            row.hidden[file.layer] = row.hidden.get(file.layer, 0) + file.size

    def _absent(self, shown: set[bytes], aliases: Aliases) -> None:
        rootfs = self.databases.rootfs
        for row in self.rows:
            if row.installed and row.last.record.files:
                for name in row.last.record.files:
                    path = aliases.path(name)
                    if path not in shown and rootfs.resolve(path, follow=False).node is None:
                        row.absent += 1

    def _within(self, claims: Claims, aliases: Aliases) -> None:
        """Say of what pip and npm record which package of the system brought it."""
        for row in self.rows:
            if row.installed and row.last.kind.family not in SYSTEMS:
                for owner in claims.of(aliases.path(row.last.file.path)):
                    if self.rows[owner].installed and self.rows[owner].last.kind.family in SYSTEMS:
                        row.within = owner
                        break

    # ---- the result --------------------------------------------------------------------------------------------

    def _result(self) -> Inventory:
        packages = [self._package(row) for row in self.rows]
        packages.sort(key=lambda one: (not one.installed, FAMILIES.index(one.family), one.name, one.version, one.arch))
        databases = self.databases
        doubts = tuple(
            PackageDoubt(
                family=doubt.family,
                path=text(doubt.file.path),
                layer=doubt.file.layer,
                entry=doubt.file.entry,
                place=doubt.place,
                why=doubt.why,
            )
            for doubt in databases.doubts
        )
        return Inventory(
            packages=tuple(packages),
            databases=tuple(self._databases(packages)),
            doubts=doubts,
            doubts_total=len(doubts) + databases.more_doubts,
            claimed=self.claimed,
            unclaimed=self.left,
            unclaimed_files=self.count,
            unclaimed_by_layer=dict(sorted(self.unclaimed_by_layer.items())),
            largest_unclaimed=tuple(self._largest()),
            looked_for=tuple(f"{kind.family}: {kind.places}" for kind in KINDS),
            complete=databases.rootfs.complete and databases.rootfs.refusal is None and not doubts,
        )

    def _databases(self, packages: Iterable[Package]) -> Iterable[PackageDatabase]:
        for kind in KINDS:
            files = [file for one, file in self.databases.seen if one is kind]
            if files:
                mine = [one for one in packages if one.family == kind.family]
                yield PackageDatabase(
                    family=kind.family,
                    paths=tuple(dict.fromkeys(text(file.path) for file in files))[:5],
                    files=len(files),
                    layers=tuple(sorted({file.layer for file in files})),
                    installed=sum(one.installed for one in mine),
                    removed=sum(not one.installed for one in mine),
                )

    def _package(self, row: _Row) -> Package:
        kind, file, record = row.last
        events = tuple(_events(row.found))
        brought = max(event.layer for event in events if event.what != "removed")
        return Package(
            family=kind.family,
            name=record.name,
            version=record.version,
            arch=record.arch,
            epoch=record.epoch,
            state=record.state,
            source=record.source,
            purl=package_url(kind, record, self.system),
            installed=row.installed,
            layer=brought,
            step=self.image.layers[brought].step,
            events=events,
            files=None if record.files is None or record.below else len(record.files),
            absent=row.absent,
            content=sum(row.seen.values()),
            stored=self._share(row.seen),
            hidden=sum(row.hidden.values()),
            hidden_stored=self._share(row.hidden),
            by_layer={
                layer: row.seen.get(layer, 0) + row.hidden.get(layer, 0) for layer in sorted({*row.seen, *row.hidden})
            },
            within="" if row.within is None else self._purl(self.rows[row.within].last),
            evidence=Evidence(locations=(self._location(file),)),
            place=record.place,
        )

    def _purl(self, found: Found) -> str:
        return package_url(found.kind, found.record, self.system)

    def _location(self, file: Shipped) -> Location:
        return self.databases.rootfs.entry_location(file.layer, file.entry, file.path)

    def _share(self, sizes: dict[int, int]) -> int:
        total = 0.0
        for index, size in sizes.items():
            layer = self.image.layers[index]
            total += size * layer.blob_size / layer.content_size if layer.content_size else 0
        return round(total)


def _joined(records: list[Found]) -> list[_Row]:
    """Group the records of each package over all versions of its database, base layer first.

    Where one file has several records of a name, the machine tells them apart, and if need be the version too.
    """
    level: dict[tuple[str, bytes, str], int] = {}
    seen: dict[tuple[object, ...], set[tuple[str, str]]] = {}
    for found in records:
        key = _base_key(found)
        variants = seen.setdefault((found.file, key), set())
        variants.add((found.record.arch, found.record.version))
        if len(variants) > 1:
            level[key] = max(level.get(key, 0), 1 if len({arch for arch, _ in variants}) == len(variants) else 2)
    rows: dict[tuple[object, ...], _Row] = {}
    for found in sorted(records, key=lambda found: found.file.layer):
        key = _base_key(found)
        more = (found.record.arch, found.record.version)[: level.get(key, 0)]
        row = rows.setdefault((*key, *more), _Row())
        row.found.append(found)
        row.life.append(Life(found.file.layer, found.file.until))
    return list(rows.values())


def _events(found: list[Found]) -> Iterable[PackageEvent]:
    """Yield what layers did to one package, given its records in the order of layers."""
    before = ""
    until: int | None = -1
    for one in found:
        layer, version = one.file.layer, one.record.version
        if until is not None and until < layer:
            if until >= 0:
                yield PackageEvent(what="removed", layer=until, before=before)
            yield PackageEvent(what="installed", layer=layer, version=version)
        elif version != before:
            yield PackageEvent(what="changed", layer=layer, version=version, before=before)
        before = version
        until = one.file.until if until is not None or one.file.until is None else until
        if one.file.until is None:
            until = None
    if until is not None:
        yield PackageEvent(what="removed", layer=until, before=before)
