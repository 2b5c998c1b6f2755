"""What an SBOM in the archive lists, against the packages and files that the image has.

An SBOM is an in-toto statement beside the image, SPDX or CycloneDX in JSON.  It is a claim that nobody checked.

Sources: SPDX 2.3 (packages, externalRefs of type purl, files), CycloneDX 1.6 (components, purl, evidence.occurrences),
the package URL specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import parse_qs, unquote

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.attestation import Statement, statements_of
from imagepeel.archive.records import RecordKind
from imagepeel.evidence import Location
from imagepeel.packages.inventory import Inventory, Package
from imagepeel.packages.record import Family
from imagepeel.packages.registry import KINDS
from imagepeel.packages.system import project

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.view import Rootfs

SbomFormat = Literal["SPDX", "CycloneDX"]
_SPDX, _CYCLONEDX = "https://spdx.dev/Document", "https://cyclonedx.org/bom"
_FAMILIES: dict[str, Family] = {kind.purl: kind.family for kind in KINDS}
_MOST_LISTED = 200_000
_MOST_NAMED = 1_000


class SbomPackage(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A package that an SBOM lists."""

    name: str
    version: str
    purl: str
    """As it stands there, "" without one."""


class SbomComparison(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One SBOM against the image: `listed` = `installed` + `removed` + `absent` + `not_compared`, counted.

    The named ones are at most 1,000 of each.  `why` is the reason where it could not be read, "" where it was.
    `complete` is false where a layer or a database could not be read: what seems absent may be there.
    """

    format: SbomFormat | None
    where: Location
    why: str = ""
    complete: bool = True
    listed: int = 0
    """Count of packages."""
    installed: int = 0
    """Count of those that the image has in this version, with a file or without any in its list."""
    removed: tuple[SbomPackage, ...] = ()
    """Those that only a layer has, which a later one removed."""
    removed_total: int = 0
    absent: tuple[SbomPackage, ...] = ()
    """Those that no database of the image has in this version, or of whose files none is there."""
    absent_total: int = 0
    not_compared: int = 0
    """Count of those of which no database here could tell: of other languages, or without a package URL."""
    unlisted: tuple[str, ...] = ()
    """Package URLs of what is installed and not listed."""
    unlisted_total: int = 0
    files: int = 0
    """Count of paths that it lists."""
    files_absent: tuple[str, ...] = ()
    """Those of them that the image does not show."""
    files_absent_total: int = 0


class _Listed(NamedTuple):
    package: SbomPackage
    key: tuple[Family, str, str] | None


def sboms_of(image: LayeredImage, found: Inventory) -> tuple[SbomComparison, ...]:
    """Return each SBOM about this very image, compared with what is there; () without one."""
    archive = image.archive
    stated = [record for record in archive.records if record.kind is RecordKind.ATTESTATION]
    if not stated or image.digest is None:
        return ()
    records = [archive.read_now(record) for record in stated]
    statements = statements_of(records, str(image.digest), _wanted, archive.limits)
    return tuple(_compared(statement, found, image.rootfs) for statement in statements)


def _wanted(predicate_type: str) -> bool:
    return predicate_type.startswith((_SPDX, _CYCLONEDX))


def _compared(statement: Statement, found: Inventory, rootfs: Rootfs) -> SbomComparison:
    form: SbomFormat | None = None
    if _wanted(statement.predicate_type):
        form = "SPDX" if statement.predicate_type.startswith(_SPDX) else "CycloneDX"
    why = statement.why
    body = statement.predicate
    if not why and (not isinstance(body, dict) or form is None):
        why = "its predicate is no document"
    if why or form is None:
        return SbomComparison(format=form, where=statement.where, why=why, complete=False)
    listed = list(_packages(form, body))
    installed, removed = _by_key(found, True), _by_key(found, False)
    here: set[tuple[Family, str, str]] = set()
    gone: list[SbomPackage] = []
    absent: list[SbomPackage] = []
    not_compared = 0
    known = {database.family for database in found.databases}
    for package, key in listed:
        if key is None or key[0] not in known:
            not_compared += 1
        elif key in installed and any(
            one.files is None or not one.files or one.absent < one.files for one in installed[key]
        ):
            here.add(key)
        elif key in removed and key not in installed:
            gone.append(package)
        else:
            absent.append(package)
    keys = {key for _, key in listed}
    unlisted = [one.purl for key, packages in installed.items() if key not in keys for one in packages]
    paths = list(dict.fromkeys(_paths(form, body)))
    lost = [path for path in paths if rootfs.resolve(path, follow=False).node is None]
    return SbomComparison(
        format=form,
        where=statement.where,
        complete=found.complete and len(listed) < _MOST_LISTED,
        listed=len(listed),
        installed=len(listed) - len(gone) - len(absent) - not_compared,
        removed=tuple(gone[:_MOST_NAMED]),
        removed_total=len(gone),
        absent=tuple(absent[:_MOST_NAMED]),
        absent_total=len(absent),
        not_compared=not_compared,
        unlisted=tuple(unlisted[:_MOST_NAMED]),
        unlisted_total=len(unlisted),
        files=len(paths),
        files_absent=tuple(lost[:_MOST_NAMED]),
        files_absent_total=len(lost),
    )


def _by_key(found: Inventory, installed: bool) -> dict[tuple[Family, str, str], list[Package]]:
    out: dict[tuple[Family, str, str], list[Package]] = {}
    for one in found.packages:
        if one.installed is installed:
            out.setdefault(_key(one.family, one.name, one.version), []).append(one)
    return out


def _key(family: Family, name: str, version: str) -> tuple[Family, str, str]:
    return family, project(name) if family == "pip" else name, version


def _packages(form: SbomFormat, body: dict[str, Any]) -> Iterator[_Listed]:
    """Yield the packages of a document; the image itself and its operating system are none."""
    if form == "SPDX":
        for one in _dicts(body, "packages")[:_MOST_LISTED]:
            purls = [
                _text(ref, "referenceLocator")
                for ref in _dicts(one, "externalRefs")
                if _text(ref, "referenceType") == "purl"
            ]
            if _text(one, "primaryPackagePurpose") not in ("CONTAINER", "OPERATING-SYSTEM", "FILE"):
                yield _listed(_text(one, "name"), _text(one, "versionInfo"), purls[0] if purls else "")
        return
    for one in _components(body):
        if _text(one, "type") not in ("file", "operating-system", "container"):
            yield _listed(_text(one, "name"), _text(one, "version"), _text(one, "purl"))


def _components(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the components of a CycloneDX document, those in others too."""
    rest = _dicts(body, "components")[::-1]
    left = _MOST_LISTED
    while rest and left:
        one = rest.pop()
        left -= 1
        yield one
        rest += _dicts(one, "components")[::-1]


def _paths(form: SbomFormat, body: dict[str, Any]) -> Iterator[str]:
    """Yield the files of the image that a document lists, as absolute paths."""
    if form == "SPDX":
        for one in _dicts(body, "files")[:_MOST_LISTED]:
            name = _text(one, "fileName")
            if name:
                yield "/" + name.removeprefix("./").lstrip("/")
        return
    for one in _components(body):
        if _text(one, "type") == "file" and _text(one, "name").startswith("/"):
            yield _text(one, "name")
        evidence = one.get("evidence")
        for place in _dicts(evidence, "occurrences") if isinstance(evidence, dict) else ():
            if _text(place, "location").startswith("/"):
                yield _text(place, "location")


def _listed(name: str, version: str, purl: str) -> _Listed:
    return _Listed(SbomPackage(name=name, version=version, purl=purl), _key_of(purl))


def _key_of(purl: str) -> tuple[Family, str, str] | None:
    """Return family, name and version of a package URL, None where it is of another family or none."""
    scheme, colon, rest = purl.partition(":")
    kind, slash, rest = rest.lstrip("/").partition("/")
    family = _FAMILIES.get(kind.lower())
    if scheme.lower() != "pkg" or not colon or not slash or family is None:
        return None
    rest = rest.partition("#")[0]
    rest, _, query = rest.partition("?")
    path, _, version = rest.rpartition("@") if "@" in rest else (rest, "", "")
    parts = [unquote(part) for part in path.split("/") if part]
    if not parts:
        return None
    name = "/".join(parts[-2:]) if family == "npm" and len(parts) > 1 else parts[-1]
    version = unquote(version)
    epoch = parse_qs(query).get("epoch", [""])[0]
    if family == "rpm" and epoch:
        version = version.removeprefix(f"{epoch}:")
    return _key(family, name, version)


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _dicts(value: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = value.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
