"""The packages of an image: the largest, what each step brought, what is shipped in vain, what belongs to none."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.evidence import layer_label
from imagepeel.history.builders import instruction
from imagepeel.packages.inventory import Package, PackageEvent
from imagepeel.packages.sbom import SbomComparison, SbomPackage
from imagepeel.present.document import (
    Column,
    Document,
    DocumentBlock,
    Section,
    Span,
    Table,
    Text,
    dim,
    item,
    items,
    path,
    row,
    say,
    section,
    term,
    warn,
    words,
)
from imagepeel.present.heading import STEP_WIDTH, about
from imagepeel.results.packages import PackagesResult
from imagepeel.text import joined, number, plural, shortened, size, title

MOST = 20
"""Rows of each table without --all."""
_MOST_DOUBTS = 10


def packages_document(result: PackagesResult, *, every: bool = False) -> Document:
    """Return the packages of an image, or what one layer did to them; `every` leaves no row out."""
    most = 1 << 60 if every else MOST
    if not result.databases:
        sboms = [_sbom(one, most) for one in result.sboms]
        return about(result.image, section(*_none(result)), *sboms, _doubts(result))
    if result.layer is not None:
        return about(result.image, *_layer(result, result.layer, most), _doubts(result))
    installed = [one for one in result.packages if one.installed]
    removed = [one for one in result.packages if not one.installed]
    return about(
        result.image,
        section(*_summary(result)),
        _table(installed, most, "imagepeel packages --all"),
        _steps(result),
        _removed(removed, most),
        *(_sbom(one, most) for one in result.sboms),
        _unclaimed(result, most),
        _doubts(result),
    )


def _none(result: PackagesResult) -> Iterator[DocumentBlock]:
    where = "its layers" if result.image.complete else "the layers that are here"
    yield say(f"No package database that we know was found in {where}. Looked for:")
    yield items(*(item(one, keep=True) for one in result.looked_for))


def _summary(result: PackagesResult) -> Iterator[DocumentBlock]:
    unread = {doubt.family for doubt in result.doubts}
    told = []
    for one in result.databases:
        if one.family not in unread:
            told.append(f"{plural(one.installed, 'package')} of {one.family}")
        elif one.installed:
            told.append(f"at least {plural(one.installed, 'package')} of {one.family}")
        else:
            told.append(f"packages of {one.family} that could not be read")
    where = "" if result.image.knowledge.layers else " in the layers that are here"
    yield say(title(f"{joined(told)}{where}."))
    shown = result.claimed + result.unclaimed
    yield say(
        f"Of {plural(shown, 'byte')} of files that the image shows, {number(result.claimed)} belong to a package and ",
        term(f"{number(result.unclaimed)} to none"),
        f" ({plural(result.unclaimed_files, 'file')}).",
    )
    if not result.complete:
        yield say(
            "Not everything could be read: there may be more packages, and what belongs to none may have an owner.",
            level="warn",
        )


def _table(packages: list[Package], most: int, more: str) -> Section | None:
    if not packages:
        return None
    largest = sorted(packages, key=lambda one: -one.content)
    rows = [
        row(
            size(one.content),
            one.family,
            words(one.name),
            words(_version(one)),
            layer_label(one.layer, one.step),
            words(_remark(one)),
            by=one.evidence,
        )
        for one in largest[:most]
    ]
    return section(
        Table(
            columns=(
                Column("size", right=True, keep=True),
                Column("", keep=True, leave=2),
                Column("package", room=14),
                Column("version", room=10),
                Column("brought by", keep=True, short="by"),
                Column("", room=14, leave=1),
            ),
            rows=tuple(rows),
            hidden=len(packages) - len(rows),
            all=more,
        ),
        title="Largest packages" if len(rows) < len(packages) else "Packages",
    )


def _version(package: Package) -> str:
    return f"{package.epoch}:{package.version}" if package.epoch else package.version


def _remark(package: Package) -> str:
    parts = []
    if package.state:
        parts.append(f"not installed to its end: {package.state}")
    changes = [event for event in package.events if event.what == "changed"]
    if changes:
        parts.append(f"was {changes[-1].before}")
    if package.hidden:
        parts.append(f"{size(package.hidden)} more are shipped and hidden")
    if package.absent:
        parts.append(f"{number(package.absent)} of {plural(package.files or 0, 'listed path')} are not there")
    if package.files is None and package.family != "npm":
        parts.append("its database lists no files")
    if package.within:
        parts.append(f"in {package.within}")
    return "; ".join(parts)


def _steps(result: PackagesResult) -> Section | None:
    rows = []
    for one in result.layers:
        if not (one.installed or one.changed or one.removed):
            continue
        done = ((one.installed, "installed"), (one.changed, "changed"), (one.removed, "removed"))
        told = ", ".join(f"{number(count)} {what}" for count, what in done if count)
        rows.append(row(one.label, told, size(one.unclaimed), shortened(instruction(one.created_by), STEP_WIDTH)))
    if not rows:
        return None
    columns = (
        Column("layer", keep=True),
        Column("packages", keep=True),
        Column("files of none", right=True, keep=True, leave=2),
        Column("step", room=14, leave=1),
    )
    return section(Table(columns=columns, rows=tuple(rows)), title="What each step did")


def _removed(packages: list[Package], most: int) -> Section | None:
    if not packages:
        return None
    largest = sorted(packages, key=lambda one: -one.hidden - one.content)
    rows = []
    for one in largest[:most]:
        gone = next(event for event in reversed(one.events) if event.what == "removed")
        rows.append(
            row(
                size(one.hidden + one.content),
                one.family,
                words(one.name),
                words(_version(one)),
                f"{layer_label(one.layer)} -> {layer_label(gone.layer)}",
                f"{size(one.content)} of it left behind" if one.content else "",
                by=one.evidence,
            )
        )
    total = sum(one.hidden + one.content for one in packages)
    stored = sum(one.hidden_stored + one.stored for one in packages)
    return section(
        say(
            f"{plural(len(packages), 'package')} that a later layer removed; layers still ship {size(total)} of them, "
            f"{size(stored)} as stored."
        ),
        Table(
            columns=(
                Column("shipped", right=True, keep=True),
                Column("", keep=True, leave=1),
                Column("package", room=14),
                Column("version", room=10),
                Column("", keep=True),
                Column("", room=14, leave=1),
            ),
            rows=tuple(rows),
            hidden=len(packages) - len(rows),
            all="imagepeel packages --all",
        ),
        title="Removed and still shipped",
    )


def _unclaimed(result: PackagesResult, most: int) -> Section | None:
    files = result.largest_unclaimed[: min(most, 1_000)]
    if not files:
        return None
    rows = [
        row(size(one.size), layer_label(one.layer), path(one.path), dim(f"was of {one.was}") if one.was else "")
        for one in files
    ]
    return section(
        Table(
            columns=(
                Column("size", right=True, keep=True),
                Column("", keep=True),
                Column("path", room=14),
                Column("", room=10, leave=1),
            ),
            rows=tuple(rows),
            hidden=result.unclaimed_files - len(rows),
            all="imagepeel packages --all" if len(rows) < len(result.largest_unclaimed) else "",
        ),
        title="Files that no package claims",
    )


_SIGN = {"installed": "+", "changed": "~", "removed": "-"}


def _layer(result: PackagesResult, layer: int, most: int) -> Iterator[Section]:
    one = result.layers[layer]
    if any(gap.layer == layer and not gap.damaged for gap in result.image.not_known):
        yield section(say(f"What {one.label} did is not known: its bytes are not here.", level="warn"))
        return
    done = ((one.installed, "installed"), (one.changed, "changed"), (one.removed, "removed"))
    told = ", ".join(f"{number(count)} {what}" for count, what in done if count) or "no package touched"
    step = shortened(instruction(one.created_by), STEP_WIDTH)
    yield section(
        say(f"{one.label}: {told}" + (f" by {step}" if step else "") + "."),
        say(f"{size(one.unclaimed)} of its files, as the image shows them, belong to no package."),
        *(
            []
            if result.complete
            else [say("Not everything could be read: what it did is told from what is here.", level="warn")]
        ),
    )
    rows = []
    for package in sorted(result.packages, key=lambda one: -one.by_layer.get(layer, 0)):
        for event in package.events:
            if event.layer == layer:
                rows.append(
                    row(
                        _SIGN[event.what],
                        size(_bytes(package, event)),
                        package.family,
                        words(package.name),
                        _change(event),
                        by=package.evidence,
                    )
                )
    if rows:
        yield section(
            Table(
                columns=(
                    Column("", keep=True),
                    Column("bytes", right=True, keep=True),
                    Column("", keep=True, leave=1),
                    Column("package", room=14),
                    Column("version", room=10),
                ),
                rows=tuple(rows[:most]),
                hidden=max(0, len(rows) - most),
                all=f"imagepeel packages --layer {one.label} --all",
            )
        )


def _bytes(package: Package, event: PackageEvent) -> int:
    """Return what the layer brings of a package, or what is still shipped of one that it removes."""
    if event.what == "removed" and not package.installed:
        return package.hidden + package.content
    return package.by_layer.get(event.layer, 0)


def _change(event: PackageEvent) -> Text:
    if event.what == "changed":
        return words(event.before, " -> ", event.version)
    return words(event.version or event.before)


def _sbom(one: SbomComparison, most: int) -> Section:
    what = f"SBOM ({one.format})" if one.format is not None else "Attestation"
    named = words(what, dim(f", an unsigned claim: {one.where}"))
    if one.why:
        return section(say(f"It is not used: {one.why}.", level="warn"), title=named)
    told = [f"{plural(one.listed, 'package')} listed, {number(one.installed)} of them installed"]
    counts = (
        (one.removed_total, "only in a layer that a later one removed"),
        (one.absent_total, "not there" if one.complete else "not seen"),
        (one.not_compared, "that no database here tells of"),
    )
    told += [f"{number(count)} {what}" for count, what in counts if count]
    rows = [item(Span("- ", "warn"), f"only in a removed layer: {_stated(package)}") for package in one.removed[:most]]
    seen = "not there" if one.complete else "not seen in what could be read"
    rows += [item(Span("- ", "warn"), f"{seen}: {_stated(package)}") for package in one.absent[:most]]
    rows += [item(Span("+ ", "warn"), f"installed and not listed: {purl}") for purl in one.unlisted[:most]]
    rows += [item(Span("- ", "warn"), "no such file: ", path(name)) for name in one.files_absent[:most]]
    left = one.removed_total + one.absent_total + one.unlisted_total + one.files_absent_total - len(rows)
    if left:
        rows.append(item(dim(f"{number(left)} more: imagepeel packages --all, --json")))
    end = [say("It and the image agree.", level="good")] if not rows and one.complete else []
    files = f"; {number(one.files - one.files_absent_total)} of {plural(one.files, 'listed path')} are there"
    return section(
        say(f"{'; '.join(told)}; {number(one.unlisted_total)} installed and not listed{files if one.files else ''}."),
        *([items(*rows)] if rows else end),
        title=named,
    )


def _stated(package: SbomPackage) -> str:
    return package.purl or f"{package.name} {package.version}"


def _doubts(result: PackagesResult) -> Section | None:
    if not result.doubts:
        return None
    rows = [
        item(
            warn("not read "),
            path(one.path),
            f" of {layer_label(one.layer)}" + (f", {one.place}" if one.place else "") + f": {one.why}",
        )
        for one in result.doubts[:_MOST_DOUBTS]
    ]
    left = result.doubts_total - len(rows)
    more = [say(f"{plural(left, 'more place')} could not be read.", level="warn")] if left else []
    return section(items(*rows), *more, title="What could not be read")
