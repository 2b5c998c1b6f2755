"""The command that copies an image from where it is: receipts are about files, and tools read those."""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.receipts.quoting import quote

COPY = "image.tar"
"""What receipts call an archive that is no file of this machine: save or copy it under this name first."""

_STORES = {"s3": "aws s3 cp {} {}", "gs": "gcloud storage cp {} {}", "gcs": "gcloud storage cp {} {}"}


def copying(word: str, tags: Sequence[str] = ()) -> str:
    """Return the line that copies what a word names to `COPY`, "" where nobody knows one for it.

    `tags` are the names that the image has in what came: without a tag, docker save writes others beside it.
    """
    prefix, _, rest = word.partition(":")
    if rest.startswith("//"):
        if prefix in ("http", "https"):
            return f"curl -fLo {COPY} {quote(word)}"
        line = _STORES.get(prefix, "")
        return line.format(quote(word), COPY)
    if prefix in ("docker", "docker-daemon"):
        last = rest.rpartition("/")[2]
        exact = rest if ":" in last or "@" in last or not tags else tags[0]
        return f"docker save {quote(exact)} -o {COPY}"
    if prefix == "podman":
        return f"podman save {quote(rest)} -o {COPY}"
    return ""
