"""The Container Operator's Manual for one image: what it answers by evidence, and what only people can answer.

The order is that of the talk: strengths, weaknesses, friends, headcount, and then the question whether this should
run in production.  Every answer is a list of proved facts, never a bare score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.explain import manual_friends, manual_people, manual_strengths, manual_weaknesses
from imagepeel.explain.document import Chapter, Span, Story
from imagepeel.explain.manual_facts import Operator
from imagepeel.explain.story import headline

if TYPE_CHECKING:
    from imagepeel.image import Image


def operate_image(image: Image) -> Story:
    """Return the manual of an image: five chapters in the order of the talk.

    Reads every layer once, with the digests of its files.  LimitExceeded on bombs.
    """
    image.scan(digests=True)
    operator = Operator(image)
    chapters: list[Chapter] = []
    for id, title, tell in (
        ("strengths", "Strengths: ephemeral, disposable, portable", manual_strengths.tell),
        ("weaknesses", "Weaknesses: state", manual_weaknesses.tell),
        ("friends", "Friends: what it needs around it", manual_friends.tell),
        ("headcount", "Headcount: who has to know what", manual_people.tell_roles),
        ("production", "Should this run in production?", manual_people.tell_production),
    ):
        chapters.append(Chapter(number=len(chapters) + 1, id=id, title=title, blocks=tuple(tell(operator))))
    return Story(
        archive=image.archive.name,
        image=image.name,
        headline=(Span("The Container Operator's Manual"), *headline(operator.teller)),
        chapters=tuple(chapters),
    )
