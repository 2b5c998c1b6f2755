"""A deterministic builder of good and deliberately broken container images.

    from imagepeel import forge

    base = forge.layer(forge.directory("etc"), forge.file("etc/motd", "hello\\n"))
    spec = forge.image(base, entrypoint=["/bin/hello"], names="demo:1")
    forge.write(spec, "demo.tar", kind="oci-archive", compression="zstd")

The forge writes its own bytes and shares no code with the readers of this package, so that tests of the readers are not
circular.  Equal specs give equal bytes.
"""

from __future__ import annotations

from imagepeel.forge.archives import FOLDER_KINDS, KINDS, archive_kind, members, to_bytes, write
from imagepeel.forge.assembly import Assembled, Blob, assemble
from imagepeel.forge.attest import Provenance
from imagepeel.forge.compress import COMPRESSIONS, compress
from imagepeel.forge.entry import (
    MTIME,
    Entry,
    EntryKind,
    SparseForm,
    TarForm,
    device,
    directory,
    fifo,
    file,
    hardlink,
    opaque,
    pax_global,
    raw_entry,
    sparse,
    symlink,
    whiteout,
)
from imagepeel.forge.gallery import GOOD, NAMES, build, describe
from imagepeel.forge.image import FAULTS, ArchiveKind, Fault, FaultKind, ImageSpec, LayerSpec, Step, image, layer
from imagepeel.forge.layout import IndexSpec, index
from imagepeel.forge.recipe import Recipe, load
from imagepeel.forge.seekable import estargz, zstd_chunked
from imagepeel.forge.tar import Span, encode, encode_entry, header, pax_body, spans

__all__ = [
    "COMPRESSIONS",
    "FAULTS",
    "FOLDER_KINDS",
    "GOOD",
    "KINDS",
    "MTIME",
    "NAMES",
    "ArchiveKind",
    "Assembled",
    "Blob",
    "Entry",
    "EntryKind",
    "Fault",
    "FaultKind",
    "ImageSpec",
    "IndexSpec",
    "LayerSpec",
    "Provenance",
    "Recipe",
    "Span",
    "SparseForm",
    "Step",
    "TarForm",
    "archive_kind",
    "assemble",
    "build",
    "compress",
    "describe",
    "device",
    "directory",
    "encode",
    "encode_entry",
    "estargz",
    "fifo",
    "file",
    "hardlink",
    "header",
    "image",
    "index",
    "layer",
    "load",
    "members",
    "opaque",
    "pax_body",
    "pax_global",
    "raw_entry",
    "spans",
    "sparse",
    "symlink",
    "to_bytes",
    "whiteout",
    "write",
    "zstd_chunked",
]
