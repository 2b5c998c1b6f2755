"""The predictions that claim nothing: of what nobody knows, and of what no Linux kernel runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.knowledge import ImagePart
from imagepeel.process.engines import argv, verdict
from imagepeel.process.engines.variables import Variables
from imagepeel.process.spec.values import Prediction

if TYPE_CHECKING:
    from imagepeel.archive.knowledge import Knowledge
    from imagepeel.process.scenario import Scenario


def unpredicted(scenario: Scenario, known: Knowledge) -> Prediction | None:
    """The prediction where it is not known what shall run; None where it is.

    Who names the command of what has no config says what a config would, as whoever makes an image of it does.
    """
    if known.artifact:
        return nothing(scenario, f"it is {known.artifact}")
    named = known.imported and argv.merge(scenario.wanted, scenario.options, scenario.engine).argv
    if known.config or (named and not known.documents):
        return None
    return nothing(scenario, f"what it starts is not known: {known.why(ImagePart.MANIFEST, ImagePart.CONFIG)}")


def elsewhere(scenario: Scenario, reason: str) -> Prediction:
    """The prediction of an image that no Linux kernel runs: what its config says, and nothing that Linux would add."""
    wanted = scenario.wanted
    vector = argv.merge(wanted, scenario.options, scenario.engine)
    named = (index for index, entry in enumerate(wanted.env) if "=" in entry)
    return msgspec.structs.replace(
        nothing(scenario, reason),
        argv=vector.argv,
        env=Variables(wanted.env, named, placed=False).kept(),
        cwd=wanted.working_dir,
    )


def nothing(scenario: Scenario, reason: str) -> Prediction:
    """The prediction where nothing says what shall run: it claims nothing else."""
    return Prediction(
        engine=scenario.label,
        runtime=scenario.runtime.name,
        architecture=scenario.architecture,
        argv=(),
        path=None,
        env=(),
        user=None,
        cwd="",
        steps=(),
        verdict=verdict.unknown(scenario.label, reason),
    )
