"""What the page about JSON says of the document of explain."""

from __future__ import annotations

import json
import re
from pathlib import Path

from imagepeel.present.document import Block, Chapter, Story
from imagepeel.render.json import to_plain

DOCS = Path(__file__).parents[2] / "docs"
JSON = (DOCS / "reference" / "json.md").read_text(encoding="utf-8")


def test_the_page_names_every_field() -> None:
    for kind in (Story, Chapter, *Block.__args__):
        for field in kind.__struct_fields__:
            assert f"`{field}`" in JSON, f"{kind.__name__}.{field}"
        tag = kind.__struct_config__.tag
        assert tag is None or f"`{tag}`" in JSON


def test_the_example_of_a_lossy_name() -> None:
    example = json.loads(re.findall(r"```json\n(\{\"path\".*?)```", JSON, re.DOTALL)[0])
    assert to_plain({"path": b"/caf\xe9"}) == example
