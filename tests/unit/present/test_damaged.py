"""A damaged archive ends in a story whose every statement has a receipt, or in the library's own error."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

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


@settings(max_examples=60, deadline=None)
@given(whole=st.sampled_from(WHOLE), kept=st.floats(0.05, 1), changes=CHANGES)
def test_a_damaged_archive_is_told_or_refused(whole: bytes, kept: float, changes: list[tuple[float, int]]) -> None:
    data = bytearray(whole[: max(1, int(len(whole) * kept))])
    for place, value in changes:
        data[int(place * len(data))] = value
    try:
        with imagepeel.open(MemorySource(bytes(data))) as archive:
            stories = [explain_image(image) for image in archive.images()]
    except ImagepeelError:
        return
    for story in stories:
        assert all(evidence.receipts for chapter in story.chapters for evidence in chapter.evidence())
        out = io.StringIO()
        terminal.print_document(story.document(), Console(file=out, width=terminal.WIDTH), receipts=True)
        assert "\x1b" not in out.getvalue()
        assert all(receipt.command.isprintable() and receipt.command.isascii() for receipt in story.receipts())
        document_html(story.document()), document_markdown(story.document(), receipts=True), dumps("explain", story)
