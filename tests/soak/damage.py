"""Ten small images of all kinds, cut off at every byte and with every bit flipped: an error of ours or an answer.

    python tests/soak/damage.py [STEP]

Every STEP-th cut and flip, by default each: some 500,000, about an hour of processor time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
KINDS = (
    "docker-archive", "docker-v1.0", "docker-save-25", "docker-containerd", "podman-archive", "oci-archive", "crane",
    "nix", "rootfs", "layer",
)  # fmt: skip


def changes(data: bytes, step: int = 1, start: int = 0) -> Iterator[bytes]:
    """The data cut off at each byte, then with each bit flipped; every `step`-th of them."""
    for number in range(start, 9 * len(data), step):
        if number < len(data):
            yield data[:number]
        else:
            at, bit = divmod(number - len(data), 8)
            yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def archives() -> dict[str, bytes]:
    """One image of each kind, each of some kilobytes."""
    from imagepeel import forge

    return {kind: forge.to_bytes(forge.build("hello"), kind) for kind in KINDS}  # type: ignore[arg-type]


def main() -> None:
    import whole

    from imagepeel.errors import ImagepeelError

    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for kind, data in archives().items():
        answered = refused = 0
        for changed in changes(data, step):
            try:
                whole.use_everything(changed)
                answered += 1
            except ImagepeelError as error:
                assert error.what and error.exit_code != 70
                refused += 1
        print(
            f"{kind}: {len(data)} bytes, {answered + refused} damaged: {answered} answered, {refused} refused",
            flush=True,
        )


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent / "fuzz")]
    main()
