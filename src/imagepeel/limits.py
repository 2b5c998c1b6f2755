"""Bounds on what hostile input may cost, in one frozen value that is passed explicitly."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown

KiB = 1024
MiB = 1024 * KiB
GiB = 1024 * MiB


class Limits(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Upper bounds for one archive; the unit of each bound stands below it.

    The defaults admit every real image that we know of (the largest public ones have some 10^6 entries) and keep memory
    and time bounded on bombs.  Reaching a bound raises `LimitExceeded`, ends the listing of a layer with an error, or
    is an anomaly; it is never silent.
    """

    archive_members: int = 200_000
    """Count: members of the outer archive, or files of a layout directory."""
    spool_bytes: int = 64 * GiB
    """Bytes written to a temporary file for stdin and for outer compression."""
    json_bytes: int = 20 * MiB
    """Bytes of one JSON document: containerd's own cap for manifests and configs."""
    json_depth: int = 64
    """Levels: nesting of a JSON document."""
    documents: int = 10_000
    """Count: indexes, manifests and configs followed from one archive."""
    archive_layers: int = 10_000
    """Count: layers of all images of one archive that are looked up before somebody asks for an image; the manifests
    behind them are read when they are asked for."""
    index_depth: int = 100
    """Levels: nesting of image indexes."""
    layer_bytes: int = 256 * GiB
    """Decompressed bytes of one layer."""
    ratio: int = 2_000
    """Factor: decompressed over stored bytes, judged once `ratio_floor` bytes came out; deflate cannot exceed 1032."""
    ratio_floor: int = 256 * MiB
    """Decompressed bytes up to which the ratio is not judged: an all-zero file is legal and small."""
    entries: int = 10_000_000
    """Count: entries of one layer."""
    layers: int = 1_000
    """Count: layers of one image; engines stop at 125 to 500."""
    header_bytes: int = 1 * MiB
    """Bytes of one PAX or GNU extension body: the cap of Go's archive/tar."""
    name_bytes: int = 512 * MiB
    """Bytes of all names and extension records of one layer together."""
    sparse_entries: int = 65_536
    """Count: regions of one sparse file map."""
    zstd_window_bytes: int = 128 * MiB
    """Bytes of memory that a zstd frame may ask for: the 2^27 of `zstd -d` without --long."""
    xz_memory_bytes: int = 256 * MiB
    """Bytes of memory that an xz stream may ask for."""
    disk_bytes: int = 64 * GiB
    """Bytes of content written to disk by one extract or flatten; holes of sparse files are free in a directory."""
    file_bytes: int = 16 * MiB
    """Bytes of one file of an image read whole into memory: passwd, scripts, ELF headers, ld.so.cache."""
    symlink_hops: int = 40
    """Count: links followed in one path resolution, Linux MAXSYMLINKS."""

    @classmethod
    def strict(cls) -> Limits:
        """Return bounds for a service that opens archives of strangers; those not named here keep their default."""
        return cls(
            archive_members=20_000,
            spool_bytes=4 * GiB,
            json_bytes=4 * MiB,
            documents=1_000,
            index_depth=8,
            layer_bytes=8 * GiB,
            disk_bytes=8 * GiB,
            ratio=200,
            ratio_floor=64 * MiB,
            entries=1_000_000,
            layers=150,
            name_bytes=128 * MiB,
        )


DEFAULT = Limits()
