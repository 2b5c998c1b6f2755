"""Writes which answers of which tools were watched, from the recorded loads: src/imagepeel/loading/watched.py.

    python tests/differential/load_watched.py

What was seen of Docker 28 and podman 5.8 is the table of `tests/cases/test_load.py`; it needs the shared cases.
"""

from __future__ import annotations

import io
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import stores  # noqa: E402
from load_archives import ARCHIVES  # noqa: E402
from test_store_loads import RECORDED, differences  # noqa: E402

import imagepeel  # noqa: E402
from imagepeel.loading.delivery import Delivery  # noqa: E402
from imagepeel.loading.registry import TOOLS  # noqa: E402
from imagepeel.loading.tool import LoadTool, words_of  # noqa: E402
from imagepeel.loading.watched import WATCHED  # noqa: E402

TARGET = HERE.parents[1] / "src" / "imagepeel" / "loading" / "watched.py"
_HEAD = '''"""Which answers were watched: on archives described so, the tool of this version ended so, with these words.

Made from the recorded loads: python tests/differential/load_watched.py
"""

from __future__ import annotations

WATCHED: dict[str, dict[str, str]] = {
'''


Watched = dict[str, dict[str, set[str]]]
"""Tool -> how an archive is described, and the outcome -> the marks of its words."""


def of_archive(data: bytes, name: str) -> Iterator[tuple[LoadTool, str, str]]:
    """Yield the tools that did what we say of an archive, what each was watched doing, and the mark of its words."""
    with imagepeel.open(io.BytesIO(data), unread=True) as archive:
        deliveries = [image.derived(Delivery) for image in archive.delivered()]
        for tool in TOOLS:
            if tool.label not in stores.TOOLS:
                continue
            answers = [tool.answer(delivery) for delivery in deliveries]
            if not differences(name, tool.label, answers, RECORDED[name][tool.label]):
                yield from (
                    (tool, tool.watched_as(one, answer), words_of(answer.text))
                    for one, answer in zip(deliveries, answers, strict=True)
                )


def recorded() -> Watched:
    """What the tools of this machine were watched doing, by label."""
    found: Watched = {}
    for name, make in ARCHIVES.items():
        for tool, what, words in of_archive(make(), name):
            found.setdefault(tool.full_label, {}).setdefault(what, set()).add(words)
    return found


def of_cases(shared: Path) -> Watched:
    """What the tools of other machines were watched doing with the shared cases, where their whole text is known."""
    sys.path.append(str(HERE.parent / "cases"))
    from test_load import SEEN

    found: Watched = {}
    for name, seen in SEEN.items():
        with imagepeel.open(shared / name) as archive:
            delivery = archive.images()[0].derived(Delivery)
            for tool in TOOLS:
                text, answer = seen.get(tool.full_label), tool.answer(delivery)
                if tool.label not in stores.TOOLS and text is not None:
                    assert answer.takes is not bool(text) and text in answer.text, (name, tool.full_label)
                    if words_of(text) == words_of(answer.text):
                        what = tool.watched_as(delivery, answer)
                        found.setdefault(tool.full_label, {}).setdefault(what, set()).add(words_of(text))
    return found


def kept() -> Watched:
    """What the module has now."""
    return {label: {what: set(marks.split()) for what, marks in ways.items()} for label, ways in WATCHED.items()}


def main() -> None:
    known = kept() | recorded()
    if len(sys.argv) > 1:
        known |= of_cases(Path(sys.argv[1]))
    lines = []
    for label, ways in known.items():
        lines += [f"    {json.dumps(label)}: {{"]
        for what, marks in sorted(ways.items()):
            line = f"        {json.dumps(what)}: {json.dumps(' '.join(sorted(marks)))},"
            rows = textwrap.wrap(" ".join(sorted(marks)), 100)
            rows = [f"{row} " for row in rows[:-1]] + rows[-1:]
            wrapped = [f"            {json.dumps(row)}" for row in rows]
            lines += [line] if len(line) <= 120 else [f"        {json.dumps(what)}: (", *wrapped, "        ),"]
        lines += ["    },"]
    tail = '"""Tool -> how an archive is described, and the outcome -> the marks of its words (`tool.words_of`)."""\n'
    TARGET.write_text(_HEAD + "\n".join(lines) + "\n}\n" + tail)


if __name__ == "__main__":
    main()
