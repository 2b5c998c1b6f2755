"""What a shell completes behind options: names that are known without an archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def _of(names: Callable[[], Iterable[str]]) -> Completion:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def _engines() -> Iterable[str]:
    from imagepeel.process.engines.registry import engine_names  # start time

    return engine_names()


def _views() -> Iterable[str]:
    from imagepeel.rootfs.engines.names import VIEWS  # start time

    return VIEWS


def _rules() -> Iterable[str]:
    from imagepeel.findings.catalogue import RULES  # start time

    return (rule.id for rule in RULES)


def _images() -> Iterable[str]:
    from imagepeel.forge.gallery import NAMES  # start time

    return NAMES


def _chapters() -> Iterable[str]:
    from imagepeel.present.document import CHAPTERS  # start time

    return CHAPTERS


def _kinds() -> Iterable[str]:
    from imagepeel.forge.archives import KINDS  # start time

    return KINDS


engines: Completion = _of(_engines)
views: Completion = _of(_views)
rules: Completion = _of(_rules)
images: Completion = _of(_images)
kinds: Completion = _of(_kinds)
chapters: Completion = _of(_chapters)
