"""What a careful person writes first with the standard library: tarfile over gzip, and both digests."""

import hashlib
import sys
import tarfile
import zlib


class Both:
    """Reads a gzip file, hashing the stored bytes and the content."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "rb")  # noqa: SIM115 - open for the life of the program
        self.inflate = zlib.decompressobj(31)
        self.stored, self.content = hashlib.sha256(), hashlib.sha256()
        self.held = b""

    def read(self, count: int) -> bytes:
        while len(self.held) < count:
            piece = self.file.read(1 << 18)
            if not piece:
                break
            self.stored.update(piece)
            out = self.inflate.decompress(piece)
            self.content.update(out)
            self.held += out
        data, self.held = self.held[:count], self.held[count:]
        return data


source = Both(sys.argv[1])
with tarfile.open(fileobj=source, mode="r|") as tar:
    entries = sum(1 for _ in tar)
while source.read(1 << 20):
    pass
print(entries, source.stored.hexdigest(), source.content.hexdigest())
