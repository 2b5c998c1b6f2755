"""The command that copies an image from where it is: receipts are about files, and tools read those."""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.receipts.quoting import quote

COPY = "image.tar"
"""What receipts call an archive that is no file of this machine: save or copy it under this name first."""

FOLDER = "image"
"""The same for an image that is copied as a layout, a directory."""

_STORES = {"s3": "aws s3 cp {} {}", "gs": "gcloud storage cp {} {}", "gcs": "gcloud storage cp {} {}"}


def copying_layout(word: str, tags: Sequence[str] = ()) -> str:
    """Return the line that copies an image of a registry to `FOLDER`, with the same documents and blobs.

    `tags` are the names that `index.json` is to have.
    """
    name = word.partition(":")[2].removeprefix("//")
    host = name.partition("/")[0]
    here = host.partition(":")[0] in ("localhost", "127.0.0.1")
    # skopeo takes no registry without TLS on its own, not even on this machine.
    option = "--src-tls-verify=false " if here else ""
    return f"skopeo copy {option}--all docker://{quote(name)} oci:{FOLDER}" + (f":{quote(tags[0])}" if tags else "")


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
