"""The text of a report: the story of an image, what surprises, and the operator's manual, as one document."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel.present.document import Document, Section, Story, words
from imagepeel.present.findings import findings_sections
from imagepeel.results.findings import WtfResult


def report_document(story: Story, found: WtfResult, manual: Story) -> Document:
    """Return the document of one image: its title is name and platform."""
    told = story.document()
    title = f"{told.title} {story.platform}".strip()
    findings = [
        section if at else msgspec.structs.replace(section, title=words("What will surprise people"), id="findings")
        for at, section in enumerate(findings_sections(found.findings, found.counts))
    ]
    operating = manual.document().sections
    return msgspec.structs.replace(told, title=title, sections=(*told.sections, *findings, *_numbered(operating, told)))


def _numbered(sections: Sequence[Section], after: Document) -> list[Section]:
    """The chapters of the manual go on with the numbers of the story."""
    first = max((section.number for section in after.sections), default=0)
    return [msgspec.structs.replace(section, number=section.number + first) for section in sections]


def both_documents(first: Document, second: Document, difference: Document) -> Document:
    """Return one document about two images: what differs, then each with its name before the titles."""
    sections = [
        section if at else msgspec.structs.replace(section, title=words("What differs"), id="differs")
        for at, section in enumerate(difference.sections)
    ]
    for name, one in (("1", first), ("2", second)):
        sections += [_named(section, name, one.title) for section in one.sections]
    return Document(title=f"{first.title} and {second.title}", headline=difference.headline, sections=tuple(sections))


def _named(section: Section, mark: str, name: str) -> Section:
    title = words(f"{name}: ", section.title) if section.title else ()
    id = f"{section.id}-{mark}" if section.id else ""
    return msgspec.structs.replace(section, title=title, id=id)
