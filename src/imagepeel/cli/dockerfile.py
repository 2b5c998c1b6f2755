"""`imagepeel dockerfile`: the recipe as far as the history tells it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import msgspec

from imagepeel.cli import common
from imagepeel.cli.settings import Settings
from imagepeel.render.escape import terminal

if TYPE_CHECKING:
    from imagepeel.history.dockerfile import Recipe

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,80})=(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"']+)")


@click.command()
@common.archive
@click.option("--show-secrets", is_flag=True, help="Show values whose name says that they are secret.")
@common.json
@common.settings
def command(settings: Settings, show_secrets: bool) -> None:
    """The recipe of an image, each line with its layer, its bytes and how sure we are.

    exact: the builder wrote this text into the history.  likely: quotes or words had to be filled in, or the layer
    holds more than this line made.  unknown: no instruction, or a layer that no step can be named for.

    Sources of COPY and ADD are not in an image, and the stages before the last leave no trace, so the text cannot
    build the image again.
    """
    from imagepeel.history.dockerfile import facts_of, read_recipe, render

    with settings.open() as archive:
        image = settings.scanned(archive)
        recipe = read_recipe(image.config, facts_of(image.layers))
        if not show_secrets:
            recipe = masked(recipe)
        if settings.json:
            from imagepeel.render.json import dumps

            click.echo(dumps("dockerfile", recipe))
        else:
            for line in render(recipe).splitlines():
                click.echo(terminal(line))
        settings.finish(image)


def masked(recipe: Recipe) -> Recipe:
    """Return the recipe with the values of names like PASSWORD and TOKEN made unreadable."""
    replace = msgspec.structs.replace
    lines = tuple(
        replace(
            line,
            text=mask_text(line.text),
            raw=mask_text(line.raw),
            arguments=tuple(_argument(word) for word in line.arguments),
        )
        for line in recipe.instructions
    )
    return replace(recipe, instructions=lines)


def mask_text(text: str) -> str:
    """Return text with the values of assignments masked whose names say "secret", and tokens known by their form."""
    from imagepeel.findings.detectors import is_placeholder, is_secret_name, mask, tokens

    def one(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        plain = value.strip("\"'")
        if not is_secret_name(name) or is_placeholder(plain):
            return found[0]
        return f"{name}={mask(plain)}"

    out = _ASSIGNMENT.sub(one, text)
    return "(masked: it holds a token)" if any(True for _ in tokens(out.encode("utf-8", "replace"))) else out


def _argument(word: str) -> str:
    from imagepeel.findings.detectors import is_placeholder, is_secret_name, mask

    name, _, value = word.partition("=")
    return f"{name}={mask(value)}" if is_secret_name(name) and not is_placeholder(value) else word
