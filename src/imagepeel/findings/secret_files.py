"""Members that may hold a secret: by their name, or as text that people wrote themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, count
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


_MOST_TEXTS = 500
_TEXTS = late(
    rb"\.(?:py|[cm]?jsx?|tsx?|rb|php|pl|go|java|kt|cs|rs|lua|sh|bash|ya?ml|json|toml|ini|conf|cfg|properties|xml|txt|md|"
    rb"html?|ipynb|tf|tfvars|sql|envrc)$|^(?:Dockerfile|Makefile|Procfile|Gemfile|\.envrc)"
)
_WHOLE = (b"Dockerfile", b"Makefile", b"Procfile", b"Gemfile")
"""How those of them begin that need no dot."""
_SYSTEM = late(
    rb"^(?:usr(?!/src/app|/share/nginx/html|/local/app)|lib(?:32|64|x32)?|s?bin|var/(?:lib|cache|log|spool)|proc|sys|dev|"
    rb"boot|run|nix)(?:/|$)"
    rb"|(?:^|/)(?:node_modules|site-packages|dist-packages|vendor|gems|\.git|testdata|tests?|__tests__|fixtures?|examples?|"
    rb"docs?)(?:/|$)"
)


def own_texts(layers: Sequence[Layer]) -> list[Hit]:
    """Return small texts that belong to no system and no installed package, base layer first, at most 500.

    Below /etc those of the layers above the first: the first one is the distribution's.
    """
    found: list[Hit] = []
    for layer in layers:
        table = layer.table
        if not any(table.sizes):
            continue  # which costs a third of a look for those that are not empty
        base = b"etc/" if layer.index == 0 else b"\0"
        # Nearly all directories belong to the system, and nothing else is asked of what they hold.
        own = bytes(not ((path and _SYSTEM.search(path)) or (path + b"/").startswith(base)) for path in table.dirs)
        if not any(own):
            continue
        for index in compress(count(), map(own.__getitem__, table.dir_ids)):
            if not 0 < table.size(index) <= detectors.MOST_BYTES:
                continue
            name = table.basename(index)
            if (b"." in name or name.startswith(_WHOLE)) and _TEXTS.search(name) and table[index].kind == "file":
                found.append(Hit(layer.index, index, b"/" + table.path(index)))
                if len(found) == _MOST_TEXTS:
                    return found
    return found


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
