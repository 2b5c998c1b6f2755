"""What `imagepeel start --json` carries."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel._display import Shown
from imagepeel.deploy.images import GivenImage
from imagepeel.deploy.judged import Start, judge_deployment
from imagepeel.deploy.wanted import Deployment, Form, Refusal
from imagepeel.process.spec.failure import Outcome
from imagepeel.process.spec.values import Verdict


class StartResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel start`: each process of a deployment, in the order in which they start."""

    form: Form
    file: str
    """Name of the file as it was given, "" for a command line."""
    engine: str
    """Full name of the profile that judges."""
    starts: tuple[Start, ...]
    refusals: tuple[Refusal, ...] = ()
    """What the API server, or a policy that was asked for, refuses: nothing starts then."""
    notes: tuple[str, ...] = ()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """That of each process."""
        return tuple(start.verdict for start in self.starts)

    @property
    def ok(self) -> bool:
        """Whether nothing is refused and every process starts."""
        return not self.refusals and all(verdict.kind is Outcome.RUNS for verdict in self.verdicts)

    def __bool__(self) -> bool:
        return self.ok


def start_result(deployment: Deployment, engine: str, images: Sequence[GivenImage]) -> StartResult:
    """Return what becomes of a deployment whose processes start on an engine."""
    return StartResult(
        form=deployment.form,
        file=deployment.file,
        engine=engine,
        starts=judge_deployment(deployment, images),
        refusals=deployment.refusals,
        notes=deployment.notes,
    )
