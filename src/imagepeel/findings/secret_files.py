"""Members whose name says that a secret may be inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.findings import detectors
from imagepeel.findings.names import SECRET_ENDS, SECRET_NAMES, Hit, Names

if TYPE_CHECKING:
    from imagepeel.layers.layer import Layer

_MOST_FILES = 2_000
_PLACED = late(
    rb"/(?:\.docker/config\.json|\.kube/config|\.aws/(?:credentials|config)|\.config/.*|kaniko/\.docker/config\.json|"
    rb"\.?containers/auth\.json|\.composer/auth\.json|root/config|\.ssh/[^/]+)$"
)
_GENERIC = frozenset({b"config", b"config.json", b"credentials", b"identity", b"auth.json", b"key.json"})


def secret_candidates(names: Names, layers: Sequence[Layer]) -> list[Hit]:
    """Return small regular files that may hold a secret by their name, base layer first, at most 2,000."""
    found = []
    for hit in sorted({*names.named(*SECRET_NAMES), *names.ending(*SECRET_ENDS)}):
        entry = layers[hit.layer].table[hit.entry]
        if entry.kind != "file" or not 0 < entry.size <= detectors.MOST_BYTES:
            continue
        if hit.path.rsplit(b"/", 1)[-1] in _GENERIC and not _PLACED.search(hit.path):
            continue
        if detectors.is_published_example(hit.path):
            continue
        found.append(hit)
    return found[:_MOST_FILES]
