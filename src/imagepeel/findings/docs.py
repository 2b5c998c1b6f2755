"""The pages of `docs/reference/rules/`, made of the rules themselves.

`python -m imagepeel.cli.rule_pages docs/reference/rules` writes them anew; a test fails when they are stale.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from imagepeel.findings.advisories import ADVISORIES
from imagepeel.findings.catalogue import RULES
from imagepeel.findings.finding import LESSONS, ROLES, SEVERITIES
from imagepeel.findings.rule import Rule
from imagepeel.findings.rules import FAMILIES
from imagepeel.findings.rules.examples import find_example
from imagepeel.text import joined, plural

_FAMILY_TITLES = {
    "start": "It will not start",
    "intent": "Entrypoint, command and process 1",
    "users": "Users and the files they meet",
    "environment": "Environment and ports",
    "secrets": "Secrets and identities",
    "attacks": "Images that attack their runtime",
    "layers": "Bytes shipped for nothing",
    "merge": "What the kernel makes of the layers",
    "unpack": "Layers that runtimes refuse",
    "loading": "Loading into a store",
    "entries": "Single tar entries",
    "archive": "The archive and its documents",
    "state": "State",
    "health": "Health, shell and certificates",
    "budget": "Limits of a team",
}

_INTRO = """# Rules

This folder is made from the rules: `python -m imagepeel.cli.rule_pages docs/reference/rules`.

A rule is one surprise that an image can hold. `imagepeel wtf image.tar` looks for all of them, `imagepeel wtf --explain
RULE` prints one page of this folder, and `imagepeel wtf --reproduce RULE demo.tar` writes an image that shows it.
`--select` and `--ignore` take ids, codes and lessons. What the severities mean, and how often rules are wrong:
[findings](../../explanation/findings.md).
"""


def pages() -> dict[str, str]:
    """File name to text of every page, the index first."""
    return {"index.md": _index(), **{f"{rule.id}.md": _page(rule) for rule in RULES}}


def _index() -> str:
    parts = [_INTRO]
    counts = ", ".join(f"{sum(rule.severity == name for rule in RULES)} {name}" for name in SEVERITIES)
    parts.append(f"{plural(len(RULES), 'rule')}; the worst that each reports: {counts}.\n")
    for family, rules in FAMILIES.items():
        parts.append(f"## {_FAMILY_TITLES[family]}\n")
        parts.append("| rule | worst | what it finds |\n|---|---|---|")
        parts.extend(f"| [{rule.id}]({rule.id}.md) | {rule.severity} | {rule.title} |" for rule in rules)
        parts.append("")
    parts.append("## Advisories\n")
    parts.append("| attack | rule | first fixed in |\n|---|---|---|")
    for number in ADVISORIES:
        parts.append(f"| {number} | {_links(rule for rule in RULES if number in rule.advisories)} | {_fixed(number)} |")
    parts.append("")
    parts.append("## By lesson and by owner\n")
    for lesson in LESSONS:
        parts.append(f"- **{lesson}**: {_links(rule for rule in RULES if rule.lesson == lesson)}")
    parts.append("")
    for role in ROLES:
        mine = _links(rule for rule in RULES if rule.role == role)
        if mine:
            parts.append(f"- {role}: {mine}")
    return "\n".join(parts) + "\n"


def _links(rules: Iterator[Rule]) -> str:
    return ", ".join(f"[{rule.id}]({rule.id}.md)" for rule in rules)


def _fixed(number: str) -> str:
    return "; ".join(
        f"{fixed.program} {', '.join(fixed.versions) or '(no release known)'}"
        + (f" ({joined(fixed.unknown)} not known)" if fixed.unknown else "")
        for fixed in ADVISORIES[number].fixed
    )


def _minute(rule: str, options: str) -> tuple[str, ...]:
    """The commands that show a rule on its two images; `options` are those of the gate where it looks at limits."""
    bad, good = f"wtf --reproduce {rule} demo.tar", f"wtf --reproduce {rule} --repaired good.tar"
    if options:
        return (bad, good, f"check demo.tar {options}", f"check good.tar {options}")
    return (bad, "wtf demo.tar --receipts", good, "wtf good.tar")


def _page(rule: Rule) -> str:
    example = find_example(rule.id)
    also = example.also
    lines = [
        f"# {rule.id}",
        "",
        f"**{rule.title}**",
        "",
        textwrap.fill(rule.why, 110, break_long_words=False, break_on_hyphens=False),
        "",
        f"**Fix:** {rule.fix}.",
        "",
        *[line for each in rule.dockerfile for line in (f"    {each}", "")],
        *([f"**A person decides** {rule.decides}.", ""] if rule.decides else []),
        "## See it in a minute",
        "",
        *(f"    imagepeel {line}" for line in _minute(rule.id, example.options)),
        "",
        "The first image shows the surprise"
        + (f" (and with it {', '.join(f'[{other}]({other}.md)' for other in also)})" if also else "")
        + ", the second is its repaired twin, in which no rule finds anything.",
        "",
        "## Facts",
        "",
        "| | |",
        "|---|---|",
        f"| worst severity | {rule.severity} |",
        *[f"| {severity} where | {words} |" for words, severity in rule.lesser],
        *([f"| speaks from | {rule.threshold} |"] if rule.threshold else []),
        f"| lesson | {rule.lesson} |",
        f"| owner | {rule.role} |",
    ]
    if rule.codes:
        lines.append(f"| also known as | {', '.join(rule.codes)} |")
    lines += [f"| [{number}]({ADVISORIES[number].url}) | {_fixed(number)} |" for number in rule.advisories]
    if rule.sources:
        lines.append(f"| sources | {', '.join(rule.sources)} |")
    return "\n".join(lines) + "\n"
