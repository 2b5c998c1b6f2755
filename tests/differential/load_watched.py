"""Writes which answers of which tools were watched, from the recorded loads: src/imagepeel/loading/watched.py.

    python tests/differential/load_watched.py

What was seen of Docker 28 and podman 5.8 is the table of `tests/cases/test_load.py`; it needs the shared cases.
"""

from __future__ import annotations

import io
import json
import sys
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
from imagepeel.loading.tool import LoadTool  # noqa: E402
from imagepeel.loading.watched import WATCHED  # noqa: E402

TARGET = HERE.parents[1] / "src" / "imagepeel" / "loading" / "watched.py"
_HEAD = '''"""Which answers were watched: on archives described in this way, the tool of this version ended in this way.

Made from the recorded loads: python tests/differential/load_watched.py
"""

from __future__ import annotations

WATCHED: dict[str, frozenset[str]] = {
'''


def of_archive(data: bytes, name: str) -> Iterator[tuple[LoadTool, str]]:
    """Yield the tools that did what we say of an archive, and what each was watched doing."""
    with imagepeel.open(io.BytesIO(data), unread=True) as archive:
        deliveries = [image.derived(Delivery) for image in archive.delivered()]
        for tool in TOOLS:
            if tool.label not in stores.TOOLS:
                continue
            answers = [tool.answer(delivery) for delivery in deliveries]
            if not differences(name, tool.label, answers, RECORDED[name][tool.label]):
                yield from (
                    (tool, tool.watched_as(one, answer)) for one, answer in zip(deliveries, answers, strict=True)
                )


def recorded() -> dict[str, set[str]]:
    """What the tools of this machine were watched doing, by label."""
    found: dict[str, set[str]] = {}
    for name, make in ARCHIVES.items():
        for tool, what in of_archive(make(), name):
            found.setdefault(tool.full_label, set()).add(what)
    return found


def of_cases(shared: Path) -> dict[str, set[str]]:
    """What the tools of other machines were watched doing with the shared cases."""
    sys.path.append(str(HERE.parent / "cases"))
    from test_load import SEEN

    found: dict[str, set[str]] = {}
    for name, seen in SEEN.items():
        with imagepeel.open(shared / name) as archive:
            delivery = archive.images()[0].derived(Delivery)
            for tool in TOOLS:
                text, answer = seen.get(tool.full_label), tool.answer(delivery)
                if tool.label not in stores.TOOLS and text is not None:
                    assert answer.takes is not bool(text) and text in answer.text, (name, tool.full_label)
                    found.setdefault(tool.full_label, set()).add(tool.watched_as(delivery, answer))
    return found


def main() -> None:
    known = {label: set(ways) for label, ways in WATCHED.items()} | recorded()
    if len(sys.argv) > 1:
        known |= of_cases(Path(sys.argv[1]))
    lines = []
    for label, ways in known.items():
        lines += [f"    {json.dumps(label)}: frozenset(", "        {"]
        lines += [f"            {json.dumps(way)}," for way in sorted(ways)]
        lines += ["        }", "    ),"]
    TARGET.write_text(_HEAD + "\n".join(lines) + '\n}\n"""Tool -> how an archive is described, and the outcome."""\n')


if __name__ == "__main__":
    main()
