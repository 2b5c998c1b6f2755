"""An error text decoded, on one screen: who says it, about what, and every cause with the command that tells it."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.present.document import (
    Document,
    Item,
    Section,
    Text,
    bad,
    code,
    dim,
    good,
    item,
    items,
    path,
    say,
    section,
    term,
    warn,
    words,
)
from imagepeel.present.prediction import engine_name, ground, place_in_words
from imagepeel.process.spec.failure import Outcome
from imagepeel.results.why import WhyCause, WhyProof, WhyReading, WhyResult
from imagepeel.text import listed, plural, shortened

_LONGEST = 300
_TOLD, _NAMED = 4, 12
"""Causes with a command each, and those that are at least named."""


def why_document(result: WhyResult, *, every: bool = False) -> Document:
    """Return what a text says: in full what it says first, and the rest in a line each.

    With `every`, each thing that it says has all of its causes with their commands.
    """
    first = result.readings[0] if result.readings else None
    shown = shortened(" ".join(first.words.split()), _LONGEST) if first else "not recognised"
    sections: list[Section] = []
    if first is None:
        sections.append(_nothing(result))
    if result.image is not None:
        sections.append(_proofs(result))
    if first is not None:
        proved = any(one.fits for one in result.proofs)
        sections += [_meaning(first), _other_causes(first, result) if proved and not every else _causes(first, every)]
    if every:
        for other in result.readings[1:]:
            sections += [section(items(item(path(shortened(other.words, _LONGEST)), label="also"))), _meaning(other)]
            sections.append(_causes(other, every))
    elif len(result.readings) > 1:
        sections.append(section(items(*map(_in_a_line, result.readings[1:])), title="Also said"))
    if result.unread:
        sections.append(
            section(say(f"{plural(result.unread, 'character')} in the middle were not looked at.", level="warn"))
        )
    return Document(title=shown, headline=(path(shown) if first else warn(shown),), sections=tuple(sections))


def _nothing(result: WhyResult) -> Section:
    if result.own_words:
        return section(say("No judge of a start is known to write this: a script of this image does, and then ends."))
    return section(
        say(
            f"None of {plural(result.texts, 'text')} of engines, runtimes, the kernel, loaders, shells and wrappers, "
            f"no exit code, signal or state stands in {plural(result.lines, 'line')}. That does not mean that "
            "nothing is wrong: a program may have written it by itself.",
            level="warn",
        ),
        items(item(code("imagepeel process image.tar"), label="try it", keep=True)),
    )


def _meaning(reading: WhyReading) -> Section:
    facts: list[Item] = []
    if reading.means:
        facts.append(item(reading.means, label="says"))
    if reading.about:
        facts.append(item(path(shortened(reading.about, 120)), label="about"))
    if reading.engines:
        facts.append(item(_engines(reading.engines), label="engine"))
    if reading.since:
        facts.append(item(f"{reading.since}; today's say it in other words", label="written by"))
    return section(items(*facts))


def _engines(labels: tuple[str, ...]) -> str:
    families: dict[str, list[str]] = {}
    for label in labels:
        name = engine_name(label)
        family, _, version = name.rpartition(" ")
        families.setdefault(family or name, []).append(version)
    return listed([f"{family} {_span(versions)}".strip() for family, versions in families.items()], 4)


def _span(versions: list[str]) -> str:
    return f"{versions[0]} to {versions[-1]}" if len(versions) > 3 else ", ".join(versions)


def _causes(reading: WhyReading, every: bool) -> Section:
    causes = reading.causes
    told = len(causes) if every else _TOLD
    shown = [_cause(number, one) for number, one in enumerate(causes[:told], 1)]
    rest = causes[told:]
    blocks = [items(*shown)] if shown else []
    if rest:
        more = f"; {len(rest) - _NAMED} more" if len(rest) > _NAMED else ""
        named = "; ".join(one.words for one in rest[:_NAMED])
        blocks.append(items(item(f"{named}{more}: ", code("--all"), " has their commands", label="or")))
    if reading.misleading:
        blocks.append(items(*(item(said, label="not so") for said in reading.misleading)))
    title = "The cause" if len(causes) == 1 else f"{plural(len(causes), 'cause')}, likeliest first"
    return section(*blocks, title=title)


def _other_causes(reading: WhyReading, result: WhyResult) -> Section:
    """What else prints the text, where it is proved what did."""
    proved = {proof.verdict.id for proof in result.proofs if proof.fits}
    rest = [one.words for one in reading.causes if one.code not in proved]
    entries = [item("; ".join(rest[:_NAMED]), label="elsewhere also")] if rest else []
    return section(items(*entries, *(item(said, label="not so") for said in reading.misleading)))


def _cause(number: int, one: WhyCause) -> Item:
    name: Text = words(" ", dim(f"({one.id})")) if one.id else ()
    below = [] if one.receipt is None else [item(code(one.receipt.command), keep=True)]
    if one.receipt is not None and one.receipt.shows:
        below.append(item(dim(f"shows {one.receipt.shows}")))
    return item(term(one.words), name, label=f"{number}.", below=below)


def _in_a_line(reading: WhyReading) -> Item:
    likely = reading.causes[0].words if reading.causes and reading.kind == "state" else ""
    return item(path(shortened(reading.words, 60)), f": {reading.means}", f"; {likely}" if likely else "")


def _proofs(result: WhyResult) -> Section:
    return section(items(*(one for proof in result.proofs for one in _proof(proof))), title="In this image")


def _proof(proof: WhyProof) -> Iterator[Item]:
    verdict = proof.verdict
    engines = listed([engine_name(label) for label in proof.engines], 3)
    where = place_in_words(verdict.where)
    if proof.fits or proof.verbatim:
        words_of = listed([engine_name(label) for label in proof.verbatim], 3)
        how = f"this text word for word on {words_of}" if proof.verbatim else "in other words"
        below = [item(ground(verdict), f" ({where})" if where else "")]
        if verdict.fix:
            below.append(item(verdict.fix, label="fix"))
        yield item(good("proved"), f" on {engines}; {how}", level="good", below=below)
    elif verdict.kind is Outcome.FAILS:
        yield item(warn("otherwise"), f" on {engines}: it fails, and not so: {ground(verdict)}")
    elif verdict.kind is Outcome.RUNS:
        yield item(
            warn("not from here"),
            f" on {engines}: it starts; another image, other options or a mount over a file say this",
        )
    else:
        yield item(bad("not known"), f" on {engines}: {ground(verdict)}")
