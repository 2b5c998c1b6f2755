"""Say what an error text, an exit code or a signal means, and whether the image explains it.

python examples/decode_an_error.py ARCHIVE TEXT
"""

import sys

import imagepeel


def main(path: str, words: str) -> int:
    with imagepeel.open(path) as archive:
        found = archive.image().why(words)
    for reading in found.readings:
        print(f"{reading.words}: one of {len(reading.causes)} causes")
    for proof in found.proofs:
        print(f"in this image, on {', '.join(proof.engines)}: {proof.verdict.why}")
    return 0 if found.recognised else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
