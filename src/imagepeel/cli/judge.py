"""`imagepeel judge`: what a program makes of layers and bundles, beside what real ones do."""

from __future__ import annotations

from typing import get_args

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings
from imagepeel.errors import ANSWER_IS_NO
from imagepeel.judge.verdict import JudgedKind

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel judge layers -- python3 overlay.py {layout} {tag} {dir}\n"
    "  imagepeel judge layers -- umoci unpack --rootless --image {layout}:{tag} {dir}\n"
    "  imagepeel judge starts -- runc run --bundle {bundle} {id}\n"
)


@click.command(epilog=_EXAMPLES, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@documents.forms
@common.output
@click.argument("kind", type=click.Choice(get_args(JudgedKind)))
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
@common.settings
def command(settings: Settings, kind: JudgedKind, words: tuple[str, ...]) -> None:
    """Judge any program that unpacks layers, or that starts bundles.

    COMMAND is run once for each case, in an empty folder and for 20 seconds at most.  `layers` fills in {layout} and
    {tag} of an image in an OCI layout and {dir}, which does not exist yet and where the files are expected.  `starts`
    fills in {bundle}, a directory with config.json and rootfs, and {id}, a new name.  The right answers were recorded
    from containerd, umoci, runc and crun.  Exit code 1 when a case does not hold.
    """
    from imagepeel.judge.document import judge_document  # start time
    from imagepeel.judge.layers import judge_layers  # start time
    from imagepeel.judge.starts import judge_starts  # start time

    given = words[1:] if words[:1] == ("--",) else words
    result = (judge_layers if kind == "layers" else judge_starts)(given)
    documents.show(settings, "judge", result, judge_document)
    if result.held < len(result.cases):
        click.get_current_context().exit(ANSWER_IS_NO)
