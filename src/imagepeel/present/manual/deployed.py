"""The four lessons answered from a deployment: ports and probes, state and volumes, what watches it, who owns it.

A deployment says what it says, with line and column; what it does not say stays a question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from imagepeel.deploy.place import Place
from imagepeel.deploy.wanted import Deployment, Facts, Field
from imagepeel.evidence import Evidence, Location
from imagepeel.present.document import Block, Chapter, Span, Story, claim, note, path, proof, term, value, warn
from imagepeel.present.manual.facts import question
from imagepeel.receipts.deployment import line_receipt
from imagepeel.text import plural

_Lesson = Callable[[Facts], list[Block]]


def deployment_chapters(deployment: Deployment, first: int = 1) -> tuple[Chapter, ...]:
    """Return one chapter a lesson about a deployment; `first` is the number of the first one."""
    lessons: tuple[tuple[str, str, _Lesson], ...] = (
        ("ports", "The deployment: ports and probes", _ports),
        ("volumes", "The deployment: state and volumes", _state),
        ("watched", "The deployment: what watches it", _watched),
        ("owners", "The deployment: who owns it", _owners),
    )
    return tuple(
        Chapter(number=first + number, id=id, title=title, blocks=tuple(_blocks(deployment, lesson)))
        for number, (id, title, lesson) in enumerate(lessons)
    )


def operate_deployment(deployment: Deployment) -> Story:
    """Return the manual of a deployment alone: the four lessons from its file."""
    what = plural(len(deployment.facts), "container")
    return Story(
        archive=deployment.file,
        image="",
        headline=(Span("The Container Operator's Manual"), path(deployment.file), value(deployment.form), value(what)),
        chapters=deployment_chapters(deployment),
    )


def with_deployment(story: Story, deployment: Deployment) -> Story:
    """Return the manual of an image with the lessons of its deployment behind the others."""
    chapters = (*story.chapters, *deployment_chapters(deployment, len(story.chapters) + 1))
    return msgspec.structs.replace(story, chapters=chapters)


def _blocks(deployment: Deployment, lesson: _Lesson) -> list[Block]:
    blocks: list[Block] = []
    for facts in deployment.facts:
        blocks.append(question(facts.container, f"in {facts.place.file}, line {facts.place.line}"))
        blocks += lesson(facts)
    return blocks


def _by(place: Place) -> Evidence:
    return proof(Location(member=place.file, pointer=place.pointer), line_receipt(place.file, place.line))


def _said(fields: Sequence[Field], *before: str) -> list[Block]:
    return [
        claim(*before, term(one.name), f" (line {one.place.line}, column {one.place.column}).", by=_by(one.place))
        for one in fields
    ]


def _asked(facts: Facts, asks: str) -> Block:
    return note(warn("?  "), f"{asks} ", Span(f"({facts.container} does not say)", "dim"))


def _ports(facts: Facts) -> list[Block]:
    blocks = _said(facts.ports, "It listens on ")
    if not facts.ports:
        blocks.append(_asked(facts, "Which ports does it listen on, and who may reach them?"))
    blocks += _said(facts.probes, "It is asked by ")
    if not facts.probes:
        blocks.append(_asked(facts, "How does anybody find out that it is ready, and that it is alive?"))
    return blocks


def _state(facts: Facts) -> list[Block]:
    blocks = _said(facts.state)
    if not facts.state:
        blocks.append(_asked(facts, "Does it keep anything, and where is that after the container is gone?"))
    blocks.append(note(warn("?  "), "Who backs it up, and when was it last restored?"))
    return blocks


def _watched(facts: Facts) -> list[Block]:
    blocks = _said(facts.probes, "It is watched by ")
    if not facts.probes:
        blocks.append(_asked(facts, "What watches it, apart from whether its first process runs?"))
    blocks += _said(facts.limits, "It is bounded: ")
    if not facts.limits:
        blocks.append(_asked(facts, "How much memory and CPU may it take before somebody ends it?"))
    blocks.append(note(warn("?  "), "Who reads its logs, and who is woken up?"))
    return blocks


def _owners(facts: Facts) -> list[Block]:
    blocks = _said(facts.owners, "A label names ")
    if not facts.owners:
        blocks.append(_asked(facts, "Who owns it, and whom does one call at night?"))
    return blocks
