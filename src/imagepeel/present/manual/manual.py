"""The Container Operator's Manual for one image: what it answers by evidence, and what only people can answer.

The order is that of the talk: strengths, weaknesses, friends, headcount, and then the question whether this should
run in production.  Every answer is a list of proved facts, never a bare score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.present.document import Chapter, Span, Story
from imagepeel.present.manual import friends, people, strengths, weaknesses
from imagepeel.present.manual.facts import Operator
from imagepeel.present.story.chapters import headline

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


def operate_image(image: LayeredImage) -> Story:
    """Return the manual of an image: five chapters in the order of the talk.

    Reads every layer once, with the digests of its files.  LimitExceeded on bombs.
    """
    image.scan(digests=True)
    operator = Operator(image)
    chapters: list[Chapter] = []
    for id, title, chapter in (
        ("strengths", "Strengths: ephemeral, disposable, portable", strengths.chapter),
        ("weaknesses", "Weaknesses: state", weaknesses.chapter),
        ("friends", "Friends: what it needs around it", friends.chapter),
        ("headcount", "Headcount: who has to know what", people.chapter),
        ("production", "Should this run in production?", people.production_chapter),
    ):
        chapters.append(Chapter(number=len(chapters) + 1, id=id, title=title, blocks=tuple(chapter(operator))))
    return Story(
        archive=image.archive.name,
        image=image.name,
        headline=(Span("The Container Operator's Manual"), *headline(operator.context)),
        chapters=tuple(chapters),
    )
