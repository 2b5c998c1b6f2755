"""Which names rules ask for, and one walk over all entries that finds them.

Every path rule shares this walk: it looks each basename up in two small tables, so a rule more costs nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain, compress, count
from typing import TYPE_CHECKING

import msgspec

from imagepeel.formats.tar.header import DIRECTORY
from imagepeel.formats.tar.table import WHITEOUT, EntryTable

if TYPE_CHECKING:
    from imagepeel.layers.layer import Layer

DATABASES: dict[bytes, str] = {
    b"PG_VERSION": "PostgreSQL",
    b"ibdata1": "MySQL or MariaDB",
    b"WiredTiger": "MongoDB",
    b"dump.rdb": "Redis",
    b"appendonly.aof": "Redis",
}
"""Files that only a database server makes, at the top of its data directory."""

SERVERS: dict[bytes, str] = {
    b"postgres": "PostgreSQL",
    b"mysqld": "MySQL",
    b"mariadbd": "MariaDB",
    b"mongod": "MongoDB",
    b"redis-server": "Redis",
    b"influxd": "InfluxDB",
    b"clickhouse-server": "ClickHouse",
    b"etcd": "etcd",
    b"cassandra": "Cassandra",
}
"""Programs whose whole point is state."""

SECRET_NAMES = frozenset(
    {
        b".env",
        b".netrc",
        b"_netrc",
        b".npmrc",
        b".pypirc",
        b".git-credentials",
        b".pgpass",
        b".my.cnf",
        b"credentials",
        b"credentials.json",
        b"service-account.json",
        b"application_default_credentials.json",
        b"key.json",
        b"kubeconfig",
        b"config",
        b"config.json",
        b".dockercfg",
        b".dockerconfigjson",
        b"id_rsa",
        b"id_dsa",
        b"id_ecdsa",
        b"id_ed25519",
        b"identity",
        b"settings.xml",
        b"credentials.xml",
        b"nuget.config",
        b"terraform.tfstate",
        b"auth.json",
    }
)
SECRET_ENDS = frozenset({b".env", b".pem", b".key", b".p8", b".ppk", b".jks"})
_OTHER = frozenset(
    {
        b"machine-id",
        b"ssh_host_rsa_key",
        b"ssh_host_dsa_key",
        b"ssh_host_ecdsa_key",
        b"ssh_host_ed25519_key",
        b"hosts",
        b"hostname",
        b"resolv.conf",
        b"manifest.json",
        b"repositories",
        b"oci-layout",
        b"index.json",
        b"stargz.index.json",
        b".prefetch.landmark",
        b".no.prefetch.landmark",
        b"lastlog",
        b"faillog",
        b"random-seed",
    }
)
EXACT = frozenset(DATABASES) | frozenset(SERVERS) | SECRET_NAMES | _OTHER
"""Basenames that some rule asks for."""

ENDS = SECRET_ENDS | frozenset({b".pid", b"lock", b".sock"})
"""What basenames that some rule asks for end in, at least three bytes."""

_ENDS = tuple(ENDS)
_SHORT = frozenset(name for name in EXACT | ENDS if len(name) == 3)
_TAILS = frozenset(name[-4:] for name in EXACT | ENDS) | {
    bytes([byte]) + name for name in _SHORT for byte in range(256)
}
"""Four bytes with which such names end."""
_AT_ONCE = 1_000
"""Names whose ends are held against them."""


def _with_tails(table: EntryTable, first: int) -> Iterator[int]:
    """Yield the entries from `first` on behind which stand the last four bytes of a name that some rule asks for."""
    names, ends = table.names, table.name_ends
    for at in range(first, len(ends), _AT_ONCE):
        # A slice of each name is most of what this costs.
        found = [names[end - 4 : end] for end in ends[at : at + _AT_ONCE]]
        if not _TAILS.isdisjoint(found):
            yield from compress(count(at), map(_TAILS.__contains__, found))


def upwards(path: bytes) -> Iterator[bytes]:
    """A path without leading slash and all directories above it, the root left out."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]


class Hit(msgspec.Struct, frozen=True, order=True):
    """An entry with an interesting name; `path` is absolute."""

    layer: int
    entry: int
    path: bytes


class Names:
    """Entries by basename and by ending, whiteouts, and the kinds of metadata each layer holds."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.exact: dict[bytes, list[Hit]] = {}
        self.ends: dict[bytes, list[Hit]] = {}
        self._layers = layers
        for layer in layers:
            self._read(layer.index, layer.table)

    def _read(self, layer: int, table: EntryTable) -> None:
        early = bisect_left(table.name_ends, 4)  # behind fewer than four bytes
        for index in chain(range(early), _with_tails(table, early)):
            name = table.basename(index)
            if not (name in EXACT or name.endswith(_ENDS)):
                continue
            if table.meta(index).type == DIRECTORY or table.flags(index) & WHITEOUT:
                continue
            hit = Hit(layer, index, b"/" + table.path(index))
            if name in EXACT:
                self.exact.setdefault(name, []).append(hit)
            for known in ENDS:
                if name.endswith(known):
                    self.ends.setdefault(known, []).append(hit)

    def whiteouts(self) -> Iterator[Hit]:
        """Yield all whiteouts, base layer first; they may be most of what layers have, so none is kept."""
        for layer in self._layers:
            table = layer.table
            for index in table.flagged(WHITEOUT):
                yield Hit(layer.index, index, b"/" + table.path(index))

    def named(self, *names: bytes) -> list[Hit]:
        """Entries with one of these basenames, base layer first."""
        for name in names:
            assert name in EXACT, name
        return sorted(hit for name in names for hit in self.exact.get(name, ()))

    def ending(self, *ends: bytes) -> list[Hit]:
        """Entries whose basename ends so, base layer first."""
        for end in ends:
            assert end in ENDS, end
        return sorted({hit for end in ends for hit in self.ends.get(end, ())})
