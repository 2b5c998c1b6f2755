"""A damaged archive ends in a story whose every statement has a receipt, or in the library's own error."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imagepeel
from imagepeel import forge
from imagepeel.archive.source import MemorySource
from imagepeel.errors import ImagepeelError
from imagepeel.present.story.chapters import explain_image
from imagepeel.render import terminal
from imagepeel.render.html import document_html
from imagepeel.render.json import dumps
from imagepeel.render.markdown import document_markdown

WHOLE = [
    forge.to_bytes(forge.build(name), kind)
    for name, kind in (
        ("resurrect", "docker-archive"),
        ("hello", "oci-archive"),
        ("control-characters", "docker-save-25"),
        ("broken-entrypoint", "docker-v1.0"),
        ("zoo", "rootfs"),
    )
]
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12)


def _told(data: bytes) -> None:
    """Tell every image of an archive in every form, or end in the library's own error."""
    try:
        with imagepeel.open(MemorySource(data)) as archive:
            stories = [explain_image(image) for image in archive.images()]
    except ImagepeelError:
        return
    for story in stories:
        assert all(evidence.receipts for chapter in story.chapters for evidence in chapter.evidence())
        out = io.StringIO()
        terminal.print_document(story.document(), out, receipts=True)
        assert "\x1b" not in out.getvalue()
        assert all(receipt.command.isprintable() and receipt.command.isascii() for receipt in story.receipts())
        document_html(story.document()), document_markdown(story.document(), receipts=True), dumps("explain", story)


@settings(max_examples=60, deadline=None)
@given(whole=st.sampled_from(WHOLE), kept=st.floats(0.05, 1), changes=CHANGES)
def test_a_damaged_archive_is_told_or_refused(whole: bytes, kept: float, changes: list[tuple[float, int]]) -> None:
    data = bytearray(whole[: max(1, int(len(whole) * kept))])
    for place, value in changes:
        data[int(place * len(data))] = value
    _told(bytes(data))


@pytest.mark.parametrize("whole", WHOLE)
def test_an_archive_cut_before_its_documents_is_told_or_refused(whole: bytes) -> None:
    """The places where what a format reads first is not there: a save or a copy that broke off."""
    for eighths in range(1, 8):
        _told(whole[: len(whole) * eighths // 8])


def test_a_cut_save_says_what_is_not_there() -> None:
    whole = WHOLE[0]
    with imagepeel.open(MemorySource(whole[: len(whole) // 2])) as archive:
        (image,) = archive.images()
        told = document_markdown(explain_image(image).document())
    said = " ".join(told.replace("`", "").split())
    assert "Reading would start at manifest.json, which is not in the archive" in said
    assert "follows what it points at" not in said
