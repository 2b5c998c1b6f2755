"""The predictions that claim nothing: of what nobody knows, and of what no Linux kernel runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.process.engines import argv, verdict
from imagepeel.process.spec.values import EnvVar, Prediction

if TYPE_CHECKING:
    from imagepeel.process.scenario import Scenario


def elsewhere(scenario: Scenario, reason: str) -> Prediction:
    """The prediction of an image that no Linux kernel runs: what its config says, and nothing that Linux would add."""
    wanted = scenario.wanted
    vector = argv.merge(wanted, scenario.options, scenario.engine)
    pairs = (entry.partition("=") for entry in wanted.env)
    return msgspec.structs.replace(
        nothing(scenario, reason),
        argv=vector.argv,
        env=tuple(EnvVar(name=name, value=value, origin="image") for name, equals, value in pairs if equals),
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
