"""`imagepeel wtf`: what will surprise people about an image."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from imagepeel.cli import common, completing, documents
from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError
from imagepeel.results.head import image_head

if TYPE_CHECKING:
    from imagepeel.results.findings import WtfOutput

PAGE = 120
"""Columns of the story of a rule at most, also in a file or pipe."""
_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel wtf image.tar\n"
    "  imagepeel wtf image.tar --select headcount --receipts\n"
    "  imagepeel wtf --list\n"
    "  imagepeel wtf --explain SHIPPED-SECRET\n"
    "  imagepeel wtf --reproduce CRLF-SHEBANG demo.tar\n"
    "  imagepeel wtf image.tar --json | jq -r '.result.findings[].rule' | sort | uniq -c\n"
)


@click.command(epilog=_EXAMPLES)
@click.argument("archive", metavar="[ARCHIVE]", required=False, type=click.Path(allow_dash=True))
@click.option("--list", "catalogue", is_flag=True, help="List all rules; no archive is needed.")
@click.option(
    "--explain",
    metavar="RULE",
    shell_complete=completing.rules,
    help="Tell the story of one rule (its id, or a code such as W33).",
)
@click.option(
    "--reproduce",
    metavar="RULE",
    shell_complete=completing.rules,
    help="Write an image that shows the surprise of RULE to ARCHIVE.",
)
@click.option("--repaired", is_flag=True, help="With --reproduce: its repaired twin, in which nothing is found.")
@common.rules
@common.receipts("Every proof and detail, also of notes.")
@documents.forms
@common.opening
@common.settings
def command(
    settings: Settings,
    *,
    archive: str | None,
    catalogue: bool,
    explain: str | None,
    reproduce: str | None,
    repaired: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    receipts: bool,
) -> None:
    """Show what will surprise people about this image, worst first: each with place, proof and fix.

    Severity high is kept for what is proved: the start fails on a named engine, a secret is shipped, the bytes are
    not those that the documents promise.  Rules and lessons (strengths, weaknesses, friends, headcount) can be named
    with --select and --ignore.  Findings do not change the exit code: `imagepeel check` is the gate.  An image that
    is damaged, or whose bytes are not those that its documents state, ends as with every other command.
    """
    from imagepeel.findings.catalogue import find_rule, select_rules  # start time

    rules = select_rules(select, ignore)
    if catalogue:
        from imagepeel.results.findings import RuleListResult, rule_result  # start time

        _write(settings, RuleListResult(rules=tuple(rule_result(rule) for rule in rules)))
        return
    if explain is not None:
        from imagepeel.results.findings import rule_result  # start time

        _write(settings, rule_result(find_rule(explain)), width=min(settings.width, PAGE))
        return
    if archive is None:
        raise UsageError("no archive is named", hint="name a file, or use --list or --explain RULE")
    if reproduce is not None:
        _reproduce(find_rule(reproduce).id, archive, repaired)
        return
    if settings.html is not None:
        settings.keep_archive(settings.html, archive)
    with settings.open(archive) as opened:
        from imagepeel.results.findings import wtf_result  # start time

        image = settings.scanned(opened)
        _write(settings, wtf_result(image_head(image), image.findings(select=select, ignore=ignore)), receipts=receipts)
        # Findings tell what engines mind; the rest of a warning is not repeated.
        settings.warn_of_layers(image)
        settings.require_intact(image)


def _write(settings: Settings, result: WtfOutput, *, receipts: bool = False, width: int | None = None) -> None:
    from imagepeel.present.findings import wtf_document  # start time

    documents.show(settings, "wtf", result, lambda found: wtf_document(found, receipts=receipts), width=width)


def _reproduce(rule: str, path: str, repaired: bool) -> None:
    from imagepeel.findings.example import archive_of  # start time
    from imagepeel.findings.rules.examples import find_example  # start time

    found = find_example(rule)
    data = archive_of(found.good() if repaired else found.bad())
    if path == "-":
        sys.stdout.buffer.write(data)
        return
    from imagepeel.export.whole_file import replacing  # start time

    if os.path.lexists(path):
        raise UsageError(f"{path} exists already", hint="name a new file")
    with replacing(path) as file:
        file.write(data)
