"""ChainIDs: the identity of a stack of layers (image-spec config.md, "Layer ChainID")."""

from __future__ import annotations

from collections.abc import Iterable

from imagepeel.oci.digest import Digest, digest_of


def chain_ids(diff_ids: Iterable[str]) -> tuple[Digest, ...]:
    """Return the ChainID after each layer, base first.

    ChainID(first) is its DiffID; ChainID(n) is the sha256 of "ChainID(n-1) DiffID(n)", both as text with the
    algorithm in front and one space between.
    """
    chain: list[Digest] = []
    for diff_id in diff_ids:
        chain.append(digest_of(f"{chain[-1]} {diff_id}".encode()) if chain else Digest(diff_id))
    return tuple(chain)
