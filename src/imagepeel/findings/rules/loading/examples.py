"""The bad and the good image of each rule of the family `loading`."""

from __future__ import annotations

from imagepeel.findings.example import Example, stored
from imagepeel.forge.image import Fault
from imagepeel.forge.specimens import sound

EXAMPLES: dict[str, Example] = {
    "CONFIG-WITHOUT-ROOTFS": Example(
        bad=lambda: sound(extra={"rootfs": None}), good=sound, also=("LAYER-COUNT", "HISTORY-SILENT")
    ),
    "CUT-SAVE": Example(
        bad=lambda: stored(sound(faults=[Fault(kind="manifest-missing")]), "podman-archive"),
        good=lambda: stored(sound(), "podman-archive"),
    ),
    "FILE-NOT-TAKEN": Example(bad=lambda: stored(sound(), "docker-v1.0"), good=sound),
}
