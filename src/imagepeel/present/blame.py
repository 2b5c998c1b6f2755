"""The lines of the last text at a path, each with the layer, the step and the day that brought it."""

from __future__ import annotations

from imagepeel.evidence import Evidence, step_number
from imagepeel.history.attested import lines_in_words
from imagepeel.present.document import Document, Item, Lines, Section, bad, dim, item, items, path, say, section, words
from imagepeel.present.heading import about
from imagepeel.present.log import content_in_words, noted, step_of, unseen_section, what
from imagepeel.results.blame import BlameLine, BlameResult, GoneLine
from imagepeel.results.log import PathVersion
from imagepeel.text import listed, number, plural

_MOST_GONE = 200
"""Deleted lines that are shown; --json has more."""
_DAY = 10


def blame_document(result: BlameResult) -> Document:
    """Return the versions, the lines, and the lines that are deleted and still shipped."""
    title = words(path(result.reached), "" if result.present else bad("  is not in this view"))
    if not result.versions:
        missing = "no layer has this path" if not result.unseen else "no layer that is here has this path"
        said = missing if result.reached.strip("/") else "the root directory of the image"
        return about(result.image, section(say(said), title=title), unseen_section(result.unseen))
    return about(
        result.image,
        section(items(*_versions(result)), title=title),
        _lines(result),
        _gone(result),
        _inexact(result),
        noted(result.note),
        _stated(result),
        unseen_section(result.unseen),
    )


def _versions(result: BlameResult) -> list[Item]:
    counts: dict[int, int] = {}
    for line in result.lines:
        counts[line.version] = counts.get(line.version, 0) + 1
    return [
        item(
            f"{version.kind:<9}",
            what(version),
            f", {plural(counts[at], 'line')} here" if at in counts else "",
            dim(f"   {step_of(version)}"),
            label=f"{version.label:<2}",
            keep=True,
            by=Evidence(receipts=(version.receipt,) if version.receipt is not None else ()),
        )
        for at, version in enumerate(result.versions)
    ]


def _lines(result: BlameResult) -> Section:
    if result.shown is None:
        last = next((one for one in reversed(result.versions) if one.node is not None), result.versions[-1])
        holds = content_in_words(last.content) if last.content is not None else ""
        why = holds or (f"a {last.node.kind}" if last.node is not None else "not there")
        return section(say(f"It is no text to tell lines of ({why}); log shows its versions."))
    removed = _removal(result)
    heads = [_head(result.versions[line.version], line) for line in result.lines]
    width = max(map(len, heads), default=0)
    digits = len(str(len(result.lines)))
    shown = tuple(
        f"{head:<{width}}  {line.number:>{digits}}  {line.text}" for head, line in zip(heads, result.lines, strict=True)
    )
    return section(*([say(removed, level="warn")] if removed else []), Lines(lines=shown))


def _removal(result: BlameResult) -> str:
    """Say that these are the lines of a version that the view does not show any more."""
    assert result.shown is not None
    last = result.versions[-1]
    if result.present or last.node is not None:
        return ""
    return f"{last.label} removes the file; {result.versions[result.shown].label} still ships these lines."


def _head(version: PathVersion, line: BlameLine) -> str:
    step = str(step_number(version.step)) if version.step is not None else "-"
    day = version.created[:_DAY] or "-"
    where = f"  {lines_in_words(version.source)}" if version.source is not None else ""
    return f"{line.label + ('' if line.certain else '?'):<4} {step:>3}  {day:<{_DAY}}{where}"


def _gone(result: BlameResult) -> Section | None:
    if not result.gone_count:
        return None
    shown = result.gone[:_MOST_GONE]
    width = max(len(_ships(line)) for line in shown) if shown else 0
    lines = tuple(f"{_ships(line):<{width}}  {line.number:>5}  {line.text}" for line in shown)
    more = result.gone_count - len(shown)
    said = [say(f"{plural(more, 'more line')} not shown.")] if more else []
    return section(Lines(lines=lines), *said, title=f"Deleted and still shipped: {number(result.gone_count)}")


def _ships(line: GoneLine) -> str:
    return listed(line.still_in, 3)


def _stated(result: BlameResult) -> Section | None:
    if all(version.source is None for version in result.versions):
        return None
    return section(say("Lines of the Dockerfile are those that the builder states: a claim, unsigned."))


def _inexact(result: BlameResult) -> Section | None:
    if result.exact:
        return None
    return section(say("The versions differ in too much to compare all of it: a line may be older.", level="warn"))
