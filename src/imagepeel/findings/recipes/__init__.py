"""For each rule an image that shows the surprise and its repaired twin, as forge specs.

They are part of the package, not of the tests: `imagepeel wtf --reproduce ID FILE` writes them for a workshop, and the
tests hold every rule to them.  Nothing here is imported by a check, so examining an image never loads the forge.
"""

from __future__ import annotations

from collections.abc import Mapping

from imagepeel.errors import NotFound
from imagepeel.findings.recipes.parts import Recipe
from imagepeel.forge.archives import to_bytes
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.layout import IndexSpec


def recipes() -> Mapping[str, Recipe]:
    """Rule id to recipe."""
    from imagepeel.findings.recipes import files, processes, stacks

    return {**processes.RECIPES, **files.RECIPES, **stacks.RECIPES}


def recipe(rule: str) -> Recipe:
    """The recipe of a rule.  NotFound when it has none."""
    found = recipes().get(rule)
    if found is None:
        raise NotFound(f"the rule {rule} has no recipe", hint="imagepeel wtf --list names all rules")
    return found


def archive_of(spec: ImageSpec | IndexSpec) -> bytes:
    """The spec as an image archive, of the kind that it names."""
    if isinstance(spec, IndexSpec):
        return to_bytes(spec, "oci-archive")
    return to_bytes(spec, spec.kind or "docker-archive")


__all__ = ["Recipe", "archive_of", "recipe", "recipes"]
