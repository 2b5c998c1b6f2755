"""The bad and the good image of each rule of the family `attacks`: each has the construct, and none does harm."""

from __future__ import annotations

from imagepeel.findings.example import Example, specimen

EXAMPLES: dict[str, Example] = {
    "ATTACKS-ENGINE-LABEL": specimen("attack-engine-label"),
    "ATTACKS-DEV-LINK": specimen("attack-dev-link"),
    "ATTACKS-OPEN-DIRECTORY": specimen("attack-open-directory", also=("WORKDIR-IN-PROC",)),
    "ATTACKS-USER-NUMBER": specimen("attack-user-number", also=("UNKNOWN-USER",)),
    "ATTACKS-PASSWD-SIZE": specimen("attack-passwd-size", also=("PASSWD-UNUSABLE",)),
    "ATTACKS-OWN-PROGRAM": specimen("attack-own-program"),
    "ATTACKS-VOLUME-PATH": specimen("attack-volume-path", also=("ANONYMOUS-VOLUME", "VOLUME-NOT-OWNED")),
    "ATTACKS-OPAQUE-MARKS": specimen("attack-opaque-marks", also=("DUPLICATE-ENTRY",)),
    "ATTACKS-THROUGH-LINK": specimen("attack-through-link", also=("STORE-REFUSES-LAYER", "PARENT-NOT-DESCRIBED")),
    "ATTACKS-TWO-SHAPES": specimen("attack-two-shapes", also=("CONFIG-WITHOUT-ROOTFS",)),
}
