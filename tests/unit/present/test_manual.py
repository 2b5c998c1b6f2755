"""The Operator's Manual: answers that follow from known images, each with proof, and nothing guessed."""

from __future__ import annotations

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.archive.source import MemorySource
from imagepeel.forge import programs
from imagepeel.present.document import Claim, Note, Story, Table, plain
from imagepeel.present.manual.people import OPEN_QUESTIONS, PRODUCTION


def manual_of(spec: forge.ImageSpec) -> Story:
    with imagepeel.open(MemorySource(forge.to_bytes(spec), "image.tar")) as archive:
        return archive.images()[0].operators_manual()


def answers(story: Story) -> dict[str, str]:
    table = next(block for block in story.chapter("production").blocks if isinstance(block, Table))
    return {plain(row.cells[0]): plain(row.cells[1]) for row in table.rows}


def said(story: Story, chapter: str) -> str:
    blocks = story.chapter(chapter).blocks
    return "\n".join(plain(block.text) for block in blocks if isinstance(block, Claim | Note))


def small(**keywords: object) -> forge.ImageSpec:
    layer = forge.layer(forge.file("app", programs.hello(), 0o755), created_by="COPY app /")
    return forge.image(layer, **{"entrypoint": ["/app"], "names": "app:1", **keywords})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", forge.NAMES)
def test_every_statement_has_proof(name: str) -> None:
    story = manual_of(forge.build(name))
    assert [chapter.id for chapter in story.chapters] == [
        "strengths",
        "weaknesses",
        "friends",
        "headcount",
        "production",
    ]
    for chapter in story.chapters:
        for evidence in chapter.evidence():
            assert evidence.locations and evidence.receipts, chapter.id


def test_the_lessons_end_in_questions_that_nobody_answers() -> None:
    story = manual_of(small())
    notes = [plain(block.text) for block in story.chapter("production").blocks if isinstance(block, Note)]
    assert [note[3:] for note in notes if note.startswith("?  ")] == list(OPEN_QUESTIONS)
    assert set(answers(story)) == {asks for _, asks in PRODUCTION}


def test_a_program_that_starts_everywhere() -> None:
    story = manual_of(small())
    assert answers(story)["Does it start, everywhere?"] == "yes"
    assert answers(story)["Can it be thrown away?"] == "yes"
    assert answers(story)["Can one look inside?"] == "no"


@pytest.mark.parametrize("name", ("no-exec-bit", "no-interpreter", "unknown-user", "no-loader"))
def test_what_does_not_start_is_not_disposable(name: str) -> None:
    story = manual_of(forge.build(name))
    assert answers(story)["Does it stop when it is told to?"] == "no"
    assert "It does not start" in said(story, "strengths")
    assert answers(story)["Does it start, everywhere?"] == "no"


def test_volumes_make_it_depend() -> None:
    story = manual_of(small(volumes=["/data"]))
    assert answers(story)["Can it be thrown away?"] == "depends"
    assert "/data" in said(story, "strengths")


def test_a_health_check_that_can_run_is_seen() -> None:
    story = manual_of(small(config={"Healthcheck": {"Test": ["CMD", "/app"]}}))
    assert answers(story)["Can one see that it works?"] == "yes"
    assert answers(manual_of(small()))["Can one see that it works?"] == "no"


def test_certificates_are_named_by_their_path() -> None:
    pem = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    layer = forge.layer(
        forge.file("app", programs.hello(), 0o755), forge.file("etc/ssl/certs/ca-certificates.crt", pem)
    )
    story = manual_of(forge.image(layer, entrypoint=["/app"]))
    assert "/etc/ssl/certs/ca-certificates.crt is there" in said(story, "friends")
    assert "No list of certificate authorities" in said(manual_of(small()), "friends")


def test_facts_go_to_the_role_that_owns_them() -> None:
    story = manual_of(forge.build("shop"))
    text = said(story, "headcount")
    assert text.index("tooling") < text.index("infosec")
    assert "/srv/shop/.env" in text.partition("infosec")[2]


def test_hostile_texts_reach_the_page_escaped() -> None:
    from imagepeel.render.html import document_html

    page = document_html(manual_of(forge.build("control-characters")).document())
    assert "\x1b" not in page and "<script>alert" not in page
