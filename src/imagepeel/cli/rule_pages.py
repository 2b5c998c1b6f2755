"""Write the pages of `docs/reference/rules/`: `python -m imagepeel.cli.rule_pages docs/reference/rules`."""

from __future__ import annotations

import sys
from pathlib import Path

from imagepeel.findings.docs import pages


def main(arguments: list[str]) -> int:
    """Write all pages into the folder that is named; pages of rules that no longer exist are removed."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m imagepeel.cli.rule_pages FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
