"""podman kube play: podman again, with the containers that a pod's YAML describes.

Sources: podman at the named version (pkg/specgen/generate/kube), and measured starts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from imagepeel.process.engines import podman
from imagepeel.process.engines.basis import EVERYTHING, Area, Basis
from imagepeel.process.engines.capabilities import USUAL_CAPABILITIES
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import EngineMessage
from imagepeel.process.engines.podman import Podman
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.spec.failure import Failure


class KubePlay(Podman, frozen=True, kw_only=True):
    """A container of a pod that podman starts."""

    def refusal(self, failure: Failure) -> EngineMessage:
        return self._in_pod(super().refusal(failure), failure.created)

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        return self._in_pod(super().runtime_refusal(failure, runtime), True)

    @staticmethod
    def _in_pod(said: EngineMessage, created: bool) -> EngineMessage:
        """The words of `podman run` as the command writes them for one container of a pod; it always leaves with 125.

        Before the container exists they are those of any command.
        """
        words = said.text.removeprefix("Error: ")
        shown = f"starting container <container-id>: {words}" if created else said.text
        return EngineMessage(text=shown, exit_code=125)


def _like(engine: Engine) -> KubePlay:
    """The same podman, for pods."""
    fields: dict[str, Any] = msgspec.structs.asdict(engine)
    fields |= {
        "name": "kube-play",
        "note": f"podman kube play of {engine.label}",
        "path_default": "never",
        "env": ("HOSTNAME",),
        "tty_env": False,
        "term_always": False,
        "capabilities": USUAL_CAPABILITIES,
        "joins_group": True,
        "copies_empty_dirs": True,
        "probes_through_shell": True,
        "option_names": ("command", "args"),
        "basis": Basis(started="4.3.1", measured=EVERYTHING - {Area.STOP, Area.MOUNTS}, read="4.3.1"),
    }
    return KubePlay(**fields)


FAMILY = EngineFamily(
    name="kube-play",
    versions=tuple(_like(engine) for engine in podman.FAMILY.versions if engine.version == (4, 3)),
    default=(4, 3),
)
