"""What `imagepeel start --json` carries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from imagepeel._display import Shown
from imagepeel.deploy.images import GivenImage
from imagepeel.deploy.judged import Start, judge_deployment
from imagepeel.deploy.wanted import Deployment, Form, Refusal
from imagepeel.process.spec.failure import Outcome
from imagepeel.process.spec.values import Verdict
from imagepeel.text import listed


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
    starts = judge_deployment(deployment, images)
    return StartResult(
        form=deployment.form,
        file=deployment.file,
        engine=engine,
        starts=starts,
        refusals=deployment.refusals,
        notes=(*deployment.notes, *_waiting(starts)),
    )


def _waiting(starts: Sequence[Start]) -> Iterator[str]:
    """Yield what stays waiting since an init container does not start (kubernetes.io, "Init Containers")."""
    for number, start in enumerate(starts):
        behind = [one.container for one in starts[number + 1 :] if one.place.file == start.place.file]
        if start.role == "init container" and start.verdict.kind is Outcome.FAILS and behind:
            names = listed(tuple(dict.fromkeys(behind)))
            yield f"{start.container} has to end well before the next one starts: {names} wait (PodInitializing)"
            return
