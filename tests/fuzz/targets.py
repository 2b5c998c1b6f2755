"""What is fuzzed: one target a parser, each with inputs that it likes, how they are changed, and what holds of any.

Of any input holds: only errors of ours come out, in a number of calls and with memory that are bounded.  A file of an
image is put where its reader looks.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import re
import shutil
import sqlite3
import struct
import tempfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import mutation
import whole
from mutation import Mutator
from whole import words_of

from imagepeel import forge
from imagepeel.archive.codec import CodecError, make_decoder
from imagepeel.archive.compression import Compression
from imagepeel.archive.mangled import mangled
from imagepeel.archive.select import normalise_reference, parse_platform
from imagepeel.archive.source import MemorySource
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location, text
from imagepeel.findings.detectors import detect
from imagepeel.findings.dockerfile_lines import plain_command
from imagepeel.findings.semantics.toc import toc_notes
from imagepeel.forge import Entry, programs
from imagepeel.forge.elf import elf
from imagepeel.formats.elf.file import parse_elf
from imagepeel.formats.elf.header import kernel_view
from imagepeel.formats.elf.symbols import SymbolTable
from imagepeel.formats.filecaps import parse_filecaps
from imagepeel.formats.go_decode import GoType, unread
from imagepeel.formats.go_json import syntax_error
from imagepeel.formats.ldcache import CACHE_IDS, parse_ldcache
from imagepeel.formats.passwd import UserRefused, account_file, go_quote, resolve_user
from imagepeel.formats.shebang import parse_shebang
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.tar.scanner import scan
from imagepeel.formats.toc import toc_entries
from imagepeel.history.builders import instruction, read_step
from imagepeel.layers.content import EntryFile
from imagepeel.layers.index_codec import MAGIC, BadIndex, Windows, decode, decode_windows
from imagepeel.layers.listed import ListedContent, listed_by
from imagepeel.layers.toc import Toc
from imagepeel.limits import DEFAULT
from imagepeel.loading import structs
from imagepeel.loading.reference import parse as parse_reference
from imagepeel.masking import redacted, secrets_in
from imagepeel.oci.config import HistoryStep, parse_config
from imagepeel.oci.digest import is_digest
from imagepeel.oci.docker_archive import archive_manifests_of, repositories_of, v1_image_of
from imagepeel.oci.index import index_of
from imagepeel.oci.json_document import parse_json
from imagepeel.oci.manifest import manifest_of, shape_of
from imagepeel.oci.media_types import classify as classify_media_type
from imagepeel.packages import apk, dpkg, npm, pip, rpm
from imagepeel.packages.record import DatabaseKind, Remark, Shipped
from imagepeel.packages.system import package_url
from imagepeel.process.engines.lookup import elements
from imagepeel.process.loader.common import identify_loader
from imagepeel.process.shell.arithmetic import ArithmeticFails, evaluate
from imagepeel.process.shell.outcome import classify
from imagepeel.process.shell.uses import uses
from imagepeel.process.wrappers import execline, execline_words
from imagepeel.process.wrappers.env import split_string
from imagepeel.process.wrappers.programs import unwrap
from imagepeel.receipts.quoting import hex_line, plain_text
from imagepeel.workshop.course import LEVELS
from imagepeel.workshop.level import Level, Missing


class Target(NamedTuple):
    """One parser, or the readers of one file of an image."""

    check: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Mutator
    modules: tuple[str, ...]
    """What coverage is asked of, below `imagepeel`."""
    refusals: tuple[type[Exception], ...] = (ImagepeelError,)
    """Errors that its callers expect."""

    @property
    def makes_images(self) -> bool:
        """Whether a whole image is made of each input, which takes a tenth of a second."""
        return "_started" in self.check.__qualname__ or self.check in (
            _settings,
            _config,
            _layers,
            _toc,
            _exercise,
            whole.use_everything,
            whole.some_verbs,
            _image,
        )


# -- bytes -------------------------------------------------------------------------------------------------------


def _tar(data: bytes) -> None:
    table = scan(data, whole.SMALL).table
    for index in range(len(table)):
        assert table[index].kind and table.path(index) is not None
        repr(table[index])


def _tars() -> list[bytes]:
    entries = [forge.build(name).layers[0].content() for name in ("zoo", "hello", "link-below")]
    return [*entries, *whole.shared(16_384, ends=".tar")[:40]]


def _codec(kind: Compression) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        decoder = make_decoder(kind, whole.SMALL)
        made = 0
        for at in range(0, len(data), 4096):
            for piece in decoder.feed(data[at : at + 4096]):
                made += len(piece)
                if made > 1 << 24:
                    return
        decoder.finish()

    return check


def _compressed(*packings: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        data = forge.build("zoo").layers[0].content()[:20_000]
        made = [forge.compress(part, packing) for packing in packings for part in (data, b"", b"a" * 3000)]  # type: ignore[arg-type]
        return [*made, made[0] + made[1], made[0] + b"\0" * 700]

    return seeds


def _elf(data: bytes) -> None:
    def read(offset: int, count: int) -> bytes:
        return data[offset : offset + count]

    for machine in ("amd64", "arm64", "386"):
        kernel_view(read, len(data), machine)
    identify_loader(data, None)
    facts = parse_elf(read, len(data))
    repr(facts)
    table = SymbolTable(read, facts)
    for name in (b"main", b"printf", b"", b"x" * 300):
        table.defines(name)
    for count, _ in enumerate(table.references()):
        if count > 5000:
            break


@cache
def _elves() -> list[bytes]:
    full = {"needed": ["liba.so", "libc.so.6"], "runpath": "$ORIGIN/../lib:/opt", "imports": ["puts", "main"]}
    versions = {"versions_needed": {"libc.so.6": ["GLIBC_2.34", "GLIBC_2.2.5"]}, "versions_defined": ["V1", "V2"]}
    made = [
        elf(machine, interpreter="/lib/ld.so", soname="libx.so", exports=["run"], **full, **versions)  # type: ignore[arg-type]
        for machine in ("amd64", "arm64", "386", "s390x")
    ]
    return [*made, programs.hello(), programs.sh(), elf(rpath="/a:/b", exports=["main"]), elf(rodata=_GLIBC)]


_GLIBC = (
    b"\0/lib/arch/\0/usr/lib/arch/\0/lib/\0/usr/lib/\0 /etc/none\0lib/arch\0x\0/etc/ld.so.cache\0\0/etc/ld.so.preload\0"
    b"cannot open shared object file\0GLIBC_PRIVATE\0ld.so stable release version 2.38.\0"
)
_MUSL = (
    b"\0/lib:/usr/local/lib:/usr/lib\0%.*s/etc/ld-musl-x86_64.path\0"
    b"Error loading shared library %s: %m (needed by %s)\0"
)
_DASH = b"\0Illegal option -%c\0"
_BASH = b"\0GNU bash, version 5.2\0"


def _ldcache(data: bytes) -> None:
    cache_ = parse_ldcache(data)
    for entry in cache_.entries[:3]:
        cache_.lookup(entry.name, CACHE_IDS["amd64"])
    repr(cache_)


def _caches() -> list[bytes]:
    names, rows, strings = (b"liba.so", b"libc.so.6"), b"", b""
    base = 48 + 24 * len(names)
    for name in names:
        key = base + len(strings)
        strings += name + b"\0"
        rows += struct.pack("<iIIIQ", CACHE_IDS["amd64"], key, base + len(strings), 0, 0)
        strings += b"/usr/lib/" + name + b"\0"
    strings += b"x86-64-v3\0\0\0"
    end = base + len(strings)
    new = b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", len(names), len(strings), 2, end) + rows + strings
    new += struct.pack("<IIIIII", 0xEAA42174, 1, 1, 0, end + 24, 4) + struct.pack("<I", end - 12)
    old = b"ld.so-1.7.0\0" + struct.pack("<I", 1) + struct.pack("<iII", 3, 0, 8) + b"liba.so\0/lib/liba.so\0"
    return [new, old, old + bytes(-len(old) % 8) + new]


def _index(data: bytes) -> None:
    """What the cache keeps of a layer, behind a right digest."""
    digest = hashlib.sha256(data)
    with suppress(BadIndex):
        decode_windows(io.BytesIO(data), Windows(places=((9, 512),), size=len(data), digest=digest.hexdigest()))
    decode(io.BytesIO(MAGIC + digest.digest() + data), DEFAULT)


def _json(data: bytes) -> None:
    syntax_error(data)
    syntax_error(data, stream=True)
    for kind in (value for value in vars(structs).values() if isinstance(value, GoType)):
        unread(data, kind)
    parse_json(data, limits=whole.SMALL)


def _documents(data: bytes) -> None:
    where = Location()
    value, _ = parse_json(data, where, whole.SMALL)
    shape_of(value)
    for of in (index_of, manifest_of):
        repr(of(value, where, [], whole.SMALL))  # type: ignore[operator]
    for of_docker in (archive_manifests_of, repositories_of, v1_image_of):
        repr(of_docker(value, where, []))  # type: ignore[operator]
    repr(parse_config(data, where, whole.SMALL))


@cache
def _texts() -> list[bytes]:
    """The documents of the forge's images, and of real ones."""
    found: list[bytes] = []

    def keep(role: str, data: bytes) -> bytes:
        if data[:1] in (b"{", b"["):
            found.append(data)
        return data

    for name in ("shop", "hello", "two-images"):
        for kind in ("docker-archive", "oci-archive", "docker-v1.0", "docker-containerd"):
            forge.to_bytes(whole.edited(forge.build(name), keep), kind)
    real = [one for one in whole.shared(8192) if one[:1] in (b"{", b"[")]
    return list(dict.fromkeys([*found, *real[:60]]))


# -- texts -------------------------------------------------------------------------------------------------------


def _accounts(data: bytes) -> None:
    spec, _, rest = data.partition(b"\n")
    passwd, _, group = rest.partition(b"\n\n")
    for rules in ("moby", "containerd", "cri", "cri-moby"):
        for strict in (False, True):
            try:
                repr(
                    resolve_user(text(spec), account_file(passwd), account_file(group), rules=rules, strict_ids=strict)
                )  # type: ignore[arg-type]
            except UserRefused as error:
                go_quote(str(error))


def _shell(data: bytes) -> None:
    script = text(data)
    for shell in ("dash", "bash", "busybox"):
        found = classify(script, shell=shell, mode="script", args=("/entry", "serve", "-x"), env={"HOME": "/root"})
        repr(found)
    uses(script)
    parse_shell(script)


_SCRIPTS = (
    b'#!/bin/sh\nset -e\nif [ "$1" = serve ]; then\n  shift\n  set -- /app "$@"\nfi\nexec "$@"\n',
    b'case "$1" in -*|"") set -- app "$@";; *) : ;; esac\nfor x in a b "$@"; do A="${A:-}$x"; done\nexec app $A\n',
    b"f() { local x=${1%%/*} y=${2##*:}; echo $((x+1)); return 3; }\nf a/b c:d || exit 4\nexec env -i A=1 app\n",
    b"cat <<EOF >/etc/x\n$A ${B:?no}\nEOF\nwhile read -r l; do :; done < /etc/passwd; until false; do break; done\n",
    b'a=(1 2 "x y"); exec "${a[@]}" "${!a}" ${a//x/y} ${a^^} $\'\\x41\' <(cat) {1..3} [[ $a =~ ^x ]]\n',
    b'trap \'exit 1\' TERM; . /etc/profile; eval "exec $1"; $(cat /x) `id -u` && gosu app:app "$@" & wait $!\n',
    b'[ -z "$X" -a "$Y" -eq 3 ] && test ! -d /x; [[ -f /y && $a == b* ]]; printf %s "$(printf %05d 9)"\n',
    b"IFS=: ; set -- $PATH; x=$*; case $x in [a-z]*[!0-9]?) exec /a;; esac; (cd /tmp; exec b); { umask 022; }\n",
)


def _arithmetic(data: bytes) -> None:
    for dash in (True, False):
        evaluate(text(data), {"x": "7", "y": "", "z": "x+1"}.get, dash=dash)


def _words(data: bytes) -> None:
    """Small readers of one word or line."""
    shown = text(data)
    for read in (
        normalise_reference,
        parse_reference,
        is_digest,
        classify_media_type,
        elements,
        plain_command,
        plain_text,
        redacted,
        secrets_in,
        parse_platform,
    ):
        try:
            read(shown)  # type: ignore[operator]
        except ImagepeelError:
            pass
    hex_line(data)
    parse_shebang(data)
    parse_shebang(data, buffer=127)
    mangled("x", data)


def _history(data: bytes) -> None:
    line = text(data)
    for step in (HistoryStep(created_by=line), HistoryStep(created_by=line, comment="buildkit.dockerfile.v0")):
        repr(read_step(step))
    instruction(line)


_STEPS = (
    b'/bin/sh -c #(nop)  CMD ["sh" "-c" "x"]',
    b"/bin/sh -c #(nop) ADD file:0123456789abcdef in / ",
    b"COPY a b # buildkit",
    b"RUN |2 A=b C=d /bin/sh -c make && rm -rf x # buildkit",
    b"|1 A=b /bin/sh -c x",
    b"EXPOSE map[80/tcp:{} 443/tcp:{}]",
    b'HEALTHCHECK &{["CMD-SHELL" "curl x"] "30s" "3s" "0s" "0s" \'\\x03\'}',
    b"ENV A=b C=d\\ e",
    b"LABEL a=b c=d",
    b'ENTRYPOINT ["a" "b"]',
    b"VOLUME [/a /b]",
    b"USER x:y",
    b"WORKDIR /x",
    b"STOPSIGNAL SIGTERM",
    b"ONBUILD RUN x",
    b"SHELL [/bin/bash -o pipefail -c]",
    b"cmd /S /C x",
    b"crane flatten",
    b"ko build ko://x",
    b"jib-core:0.1",
)


def _wrappers(data: bytes) -> None:
    argv = tuple(text(data).split("\0"))
    for libc in ("glibc", "musl"):
        repr(unwrap(argv, libc=libc, env={"A": "b"}))
    try:
        split_string(argv[-1], {"A": "b"})
    except ValueError:
        pass


_VECTORS = (
    b"tini\0-g\0-p\0SIGTERM\0--\0app",
    b"env\0-i\0-u\0A\0-S\0-i A=${A} app 'x y' \\t\0B=1\0app",
    b"gosu\0u:g\0app\0-x",
    b"setpriv\0--reuid\0u\0--regid=g\0--clear-groups\0app",
    b"su\0-c\0exec app\0-s\0/bin/sh\0-\0u",
    b"nice\0-5\0app",
    b"capsh\0--user=x\0--drop=cap_chown,cap_kill\0--\0-c\0x",
    b"chroot\0--userspec=a:b\0/x\0app",
    b"timeout\0-s\0KILL\0005s\0a",
    b"start-stop-daemon\0--start\0-x\0/app\0-c\0u\0--\0y",
    b"sudo\0-u\0#5\0A=b\0app",
    b"doas\0-u\0x\0app",
    b"chpst\0-u\0a:b\0app",
    b"dumb-init\0--rewrite\00015:2\0app",
    b"prlimit\0--nofile=5:6\0app",
    b"busybox\0chpst\0-u\0x\0app",
    b"taskset\0001\0app",
)


# -- files of an image -------------------------------------------------------------------------------------------

_PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/dash\nnobody:x:65534:65534::/:/bin/false\n"
_GROUP = "root:x:0:\napp:x:1000:\nmore:x:90:app,nobody\n"


@cache
def _root() -> tuple[Entry, ...]:
    """A system with shells, loaders, wrappers."""
    dynamic = elf(interpreter="/lib/ld.so", needed=["liba.so"], runpath="/opt/lib")
    return (
        forge.file("etc/passwd", _PASSWD),
        forge.file("etc/group", _GROUP),
        forge.file("bin/dash", elf(rodata=_DASH), 0o755),
        forge.file("bin/bash", elf(rodata=_BASH), 0o755),
        forge.symlink("bin/sh", "dash"),
        forge.file("bin/app", programs.report(), 0o755),
        forge.file("bin/dynamic", dynamic, 0o755),
        forge.file("lib/ld.so", elf(rodata=_GLIBC, soname="ld.so"), 0o755),
        forge.file("lib/ld-musl.so", elf(rodata=_MUSL), 0o755),
        forge.file("usr/lib/liba.so", elf(soname="liba.so", exports=["run"]), 0o755),
        *(forge.file(f"bin/{name}", programs.report(), 0o4755) for name in ("sudo", "doas", "su", "execlineb", "env")),
        *(
            forge.file(f"bin/{name}", programs.report(), 0o755)
            for name in (
                "nginx",
                "supervisord",
                "redis-server",
                "php-fpm",
                "haproxy",
                "gosu",
                "tini",
                "capsh",
                "setpriv",
            )
        ),
    )


def _started(
    place: str, *entrypoint: str, mode: int = 0o644, verb: str = "process", **settings: object
) -> Callable[[bytes], None]:
    """Start an image whose file at `place` is the input."""

    def check(data: bytes) -> None:
        kept = tuple(one for one in _root() if one.path != place.encode())
        layer = forge.layer(*kept, forge.file(place, data, mode))
        spec = forge.image(layer, names="x:1", entrypoint=list(entrypoint), **settings)  # type: ignore[arg-type]
        number = zlib.crc32(data)
        engines = whole.ENGINES[number % len(whole.ENGINES)], whole.ENGINES[number // 97 % len(whole.ENGINES)]
        with whole.opened(forge.to_bytes(spec, "docker-archive", compression="none")) as archive:
            for image in archive.images():
                for engine in engines if verb == "process" else ():
                    repr(image.process(engine=engine))
                if verb != "process" or number % 16 == 0:
                    repr(image.findings())

    return check


_CONFIGS = (
    b"daemon off;\nworker_processes 1; # daemon on;\n",
    b"[supervisord]\nnodaemon=true\n[include]\nfiles=/etc/*.conf\n",
    b"daemonize no\nport 6379\n",
    b"[global]\n daemonize = no\n",
    b"global\n  daemon\n",
)


def _config(data: bytes) -> None:
    """A config file of each daemon, for all of them."""
    for name, place in (("nginx", "etc/nginx/nginx.conf"), ("supervisord", "etc/supervisord.conf")):
        _started(place, name)(data)
    for name, words in (("redis-server", ("/etc/x",)), ("php-fpm", ("-y", "/etc/x")), ("haproxy", ("-f", "/etc/x"))):
        _started("etc/x", name, *words)(data)


def _settings(data: bytes) -> None:
    """The words of a config: command, variables, user, directory."""
    fields = [text(part) for part in data.split(b"\0\0")]
    argv, env, user, workdir = [*fields, "", "", "", ""][:4]
    spec = forge.image(
        forge.layer(*_root()), names="x:1", entrypoint=argv.split("\0"), env=env.split("\0"), user=user, workdir=workdir
    )
    with whole.opened(forge.to_bytes(spec, "docker-archive", compression="none")) as archive:
        for image in archive.images():
            for engine in (whole.ENGINES[zlib.crc32(data) % len(whole.ENGINES)], "docker"):
                repr(image.process(engine=engine))
            repr(image.findings())


def _given(*seeds: bytes) -> Callable[[], Sequence[bytes]]:
    return lambda: seeds


def _secrets(data: bytes) -> None:
    for path in (
        b"/root/.env",
        b"/root/.npmrc",
        b"/root/.docker/config.json",
        b"/root/.kube/config",
        b"/root/.netrc",
        b"/root/.pgpass",
        b"/root/.git-credentials",
        b"/root/.aws/credentials",
        b"/root/.ssh/id_rsa",
        b"/x/service.json",
    ):
        detect(path, data)


def _layers(data: bytes) -> None:
    """The tar of a layer, over another one, in an image with right digests."""
    spec = forge.image(forge.layer(*_root()), forge.layer(tar=data), names="x:1", entrypoint=["/bin/app"])
    made = forge.to_bytes(spec, "docker-archive", compression="none")
    whole.use_everything(made)
    whole.some_verbs(made)


def _image(data: bytes) -> None:
    whole.some_verbs(whole.image_of(data))


_TOC = {
    "entries": [
        {"name": "a/", "type": "dir", "mode": 0o755},
        {"name": "a/f", "type": "reg", "size": 3, "mode": 0o644, "uid": 0, "gid": 0},
        {"name": "a/l", "type": "symlink", "linkName": "f"},
        {"name": "a/h", "type": "hardlink", "linkName": "a/f"},
        {"name": "a/f", "type": "chunk", "chunkOffset": 2},
    ]
}


def _toc(data: bytes) -> None:
    """The table of contents of a layer that is pulled lazily: at the end of the tar, behind it, and in zstd."""
    files = (forge.directory("a"), forge.file("a/f", b"abc"), forge.symlink("a/l", "f"), forge.hardlink("a/h", "a/f"))
    table = forge.file("stargz.index.json", data)
    packed = forge.compress(data, "zstd")
    stored = forge.compress(forge.layer(*files).content(), "zstd")
    place = {"io.containers.zstd-chunked.manifest-position": f"{len(stored)}:{len(packed)}:{len(data)}:1"}
    frame = b"\x50\x2a\x4d\x18" + len(packed).to_bytes(4, "little")
    place = {key: value.replace(str(len(stored)), str(len(stored) + 8), 1) for key, value in place.items()}
    spec = forge.image(
        forge.layer(*files, table),
        forge.layer(tar=forge.layer(*files).content() + forge.layer(table).content()),
        forge.layer(blob=stored + frame + packed, compression="zstd", annotations=place),
    )
    with whole.opened(forge.to_bytes(spec, "oci-archive")) as archive:
        repr(toc_notes(archive.image()))


_STORED = bytes(range(256)) * 4
"""What the offsets of a table point into, of 1,024 bytes as they are and packed in three members."""


@cache
def _members() -> bytes:
    return b"".join(forge.compress(_STORED[at : at + 400], "gzip") for at in range(0, len(_STORED), 400))


def _listing(data: bytes) -> None:
    """A layer that only its table of contents lists: each file has the bytes that the stored ones give, or an error."""
    blob = _members()
    source = MemorySource(blob)
    try:
        entries = toc_entries(data)
    except (ValueError, RecursionError):
        return
    listed = listed_by(source, Compression.GZIP, Toc(entries, len(blob), False, None), DEFAULT, 0)
    if listed is None:
        return
    content = ListedContent(source, Compression.GZIP, listed, DEFAULT, layer=0)
    for entry in listed.table[:50]:
        repr((entry.path, entry.xattrs, entry.mtime, entry.header_offset))
        try:
            found = EntryFile(content, entry).pread(0, 4096)
        except ImagepeelError:
            continue
        assert len(found) == min(4096, entry.size)


_LISTING = {
    "version": 1,
    "entries": [
        {"name": "a/", "type": "dir", "mode": 0o755, "modtime": "2024-01-01T00:00:00.5Z"},
        {"name": "a/f", "type": "reg", "size": 700, "offset": 1, "chunkSize": 300, "uid": 7, "userName": "u"},
        {"name": "a/f", "type": "chunk", "chunkOffset": 300, "offset": 300, "innerOffset": 8, "endOffset": 600},
        {"name": "a/g", "type": "reg", "size": 5, "offset": 300, "innerOffset": 2, "xattrs": {"user.a": "YQ=="}},
        {"name": "a/z", "type": "reg", "size": 9, "chunkType": "zeros"},
        {"name": "a/l", "type": "symlink", "linkName": "f"},
    ],
}


@cache
def _exercises() -> list[tuple[Level, Path, str, bytes]]:
    """The levels of the course in a folder of their own, with each file that a learner writes there."""
    place = Path(tempfile.mkdtemp(prefix="exercises"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    found = []
    for level in LEVELS:
        folder = place / level.folder
        folder.mkdir()
        level.prepare(folder)
        for name, text_ in level.solution(folder).items():
            if not name.endswith(".sh"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                found.append((level, folder, name, text_.encode()))
    return found


def _exercise(data: bytes) -> None:
    """What a learner left in a folder of the course; its first byte says which file."""
    known = _exercises()
    level, folder, name, solution = known[data[0] % len(known) if data else 0]
    (folder / name).write_bytes(data[1:])
    try:
        level.check(folder)
    finally:
        (folder / name).write_bytes(solution)


def _sparse(form: str) -> bytes:
    return forge.encode([forge.sparse("s", ((0, b"a"), (700, b"b" * 9)), 4096, form)])  # type: ignore[arg-type]


# -- package databases -------------------------------------------------------------------------------------------


class _Reading:
    """One database by itself, of which every other file is the same bytes again."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, file: Shipped) -> bytes:
        return self.data

    def list_of(self, file: Shipped, parse: Callable[[bytes], tuple[bytes, ...]]) -> tuple[bytes, ...] | None:
        return parse(self.data)

    def at(self, path: bytes, layer: int) -> Shipped | None:
        return Shipped(path, layer, 0, None)

    def remark(self, file: Shipped, remark: Remark) -> None:
        assert remark.what


def _database(kind: DatabaseKind, path: bytes) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        for record in kind.records(Shipped(path, 0, 0, None), _Reading(data)):
            assert isinstance(record.name, str)
            package_url(kind, record, {"ID": "debian"})

    return check


def _rpm_header(name: bytes, files: int = 2) -> bytes:
    parts = (
        (1000, 6, 1, name + b"\0"),
        (1001, 6, 1, b"1.0\0"),
        (1003, 4, 1, b"\0\0\0\1"),
        (1116, 4, files, bytes(4 * files)),
        (1117, 8, files, b"file\0" * files),
        (1118, 8, 1, b"/usr/\0"),
    )
    index = data = b""
    for tag, kind, count, value in parts:
        data += bytes(-len(data) % 4)
        index += struct.pack(">4I", tag, kind, len(data), count)
        data += value
    return struct.pack(">II", len(parts), len(data)) + index + data


def _rpm_sqlite() -> list[bytes]:
    """What SQLite itself writes: rows in one page and in several, and a tree of pages."""
    out = []
    for count, files in ((1, 1), (3, 900), (60, 2)):
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute("pragma page_size = 512")
            database.execute("create table Packages (hnum integer primary key autoincrement, blob blob not null)")
            rows = [(_rpm_header(b"p%d" % number, files),) for number in range(count)]
            database.executemany("insert into Packages (blob) values (?)", rows)
            database.commit()
            out.append(database.serialize())
    return out


def _rpm_ndb() -> list[bytes]:
    head = struct.pack("<4sIII", b"RpmP", 0, 1, 1) + bytes(16)
    body = b""
    for number in range(1, 255):
        blob = _rpm_header(b"p%d" % number) if number < 3 else b""
        blocks = (len(blob) + 28) // 16 + 1 if blob else 0
        head += struct.pack("<4sIII", b"Slot", number * bool(blob), (4096 + len(body)) // 16 * bool(blob), blocks)
        if blob:
            body += (struct.pack("<4sIII", b"BlbS", number, 1, len(blob)) + blob).ljust(16 * blocks, b"\0")
    return [head + body]


def _rpm_bdb() -> list[bytes]:
    """A hash with one header in its page, and one in a chain of two pages (db_page.h)."""
    size = 512
    meta = bytearray(size)
    struct.pack_into("<I", meta, 12, 0x061561)
    struct.pack_into("<I", meta, 20, size)
    small, large = _rpm_header(b"small"), _rpm_header(b"large", 60)
    items = [b"\1key1", b"\1" + small, b"\1key2", struct.pack("<B3xII", 3, 2, len(large))]
    page, at, places = bytearray(size), size, []
    for one in items:
        at -= len(one)
        page[at : at + len(one)] = one
        places.append(at)
    struct.pack_into("<H3xB", page, 20, len(items), 13)
    page[25] = 13
    struct.pack_into("<4H", page, 26, *places)
    room = size - 26
    chain = b""
    for number in range(0, len(large), room):
        part = large[number : number + room]
        following = 3 + number // room if number + room < len(large) else 0
        chain += struct.pack("<8xIIIHHBB", 0, 0, following, 1, len(part), 0, 7) + part.ljust(room, b"\0")
    return [bytes(meta + page) + chain]


TARGETS: dict[str, Target] = {
    "archive": Target(whole.use_everything, whole.archives, mutation.tarball, ("archive", "oci")),
    "archive-verbs": Target(whole.some_verbs, whole.archives, mutation.tarball, ("archive", "loading", "results")),
    "image": Target(
        _image,
        lambda: [
            bytes((one, kind, kind, kind, one, 7, 1, one, 9, 2, kind, 3)) for one in range(8) for kind in range(7)
        ],
        mutation.octets,
        ("findings", "present", "process", "history"),
    ),
    "tar": Target(
        _tar,
        lambda: [*_tars(), *(_sparse(form) for form in ("gnu", "pax-0.0", "pax-0.1", "pax-1.0"))],
        mutation.tarball,
        ("formats.tar",),
    ),
    "layer": Target(_layers, _tars, mutation.tarball, ("rootfs", "layers", "findings.semantics")),
    "gzip": Target(
        _codec(Compression.GZIP),
        _compressed("gzip"),
        mutation.packed("gzip", mutation.tarball),
        ("archive.codec",),
        (CodecError, ImagepeelError),
    ),
    "zstd": Target(
        _codec(Compression.ZSTD),
        _compressed("zstd"),
        mutation.packed("zstd", mutation.tarball),
        ("archive.codec",),
        (CodecError, ImagepeelError),
    ),
    "xz": Target(
        _codec(Compression.XZ),
        _compressed("xz"),
        mutation.packed("xz", mutation.tarball),
        ("archive.codec",),
        (CodecError, ImagepeelError),
    ),
    "bzip2": Target(
        _codec(Compression.BZIP2),
        _compressed("bzip2"),
        mutation.packed("bzip2", mutation.tarball),
        ("archive.codec",),
        (CodecError, ImagepeelError),
    ),
    "json": Target(_json, _texts, mutation.document, ("oci.json_document", "formats.go_json", "formats.go_decode")),
    "documents": Target(_documents, _texts, mutation.document, ("oci",)),
    "index-cache": Target(_index, whole.indexes, mutation.numbers, ("layers.index_codec",), (BadIndex, ImagepeelError)),
    "elf": Target(_elf, _elves, mutation.numbers, ("formats.elf",)),
    "loader": Target(
        _started("bin/app", "/bin/app", mode=0o755),
        _elves,
        mutation.numbers,
        ("process.loader", "process.kernel"),
    ),
    "library": Target(
        _started("usr/lib/liba.so", "/bin/dynamic"),
        _elves,
        mutation.numbers,
        ("process.loader",),
    ),
    "ld-cache": Target(_ldcache, _caches, mutation.numbers, ("formats.ldcache",)),
    "ld-cache-start": Target(
        _started("etc/ld.so.cache", "/bin/dynamic"), _caches, mutation.numbers, ("process.loader",)
    ),
    "ld-preload": Target(
        _started("etc/ld.so.preload", "/bin/dynamic"),
        _given(b"/usr/lib/liba.so liba.so:/x\n# c\n$LIB/x\n"),
        mutation.lines,
        ("process.loader.glibc",),
    ),
    "ld-conf": Target(
        _started("etc/ld.so.conf", "/bin/dynamic", verb="findings"),
        _given(b"include /etc/ld.so.conf.d/*.conf\n/opt/lib\n"),
        mutation.lines,
        ("findings.rules.start",),
    ),
    "filecaps": Target(
        parse_filecaps,
        _given(struct.pack("<IIIII", 0x02000001, 1, 0, 0, 0), struct.pack("<6I", 0x03000000, 1, 2, 0, 0, 9)),
        mutation.numbers,
        ("formats.filecaps",),
        (ValueError, ImagepeelError),
    ),
    "accounts": Target(
        _accounts,
        _given(f"app:more\n{_PASSWD}\n{_GROUP}".encode(), b"1000:90\n#root:x:0\n\n\n", b"+5:-1\nx:y:z\n\ng::9:\n"),
        mutation.lines,
        ("formats.passwd",),
    ),
    "packages-dpkg": Target(
        _database(dpkg.KIND, b"/var/lib/dpkg/status"),
        lambda: [
            b"Package: a\nStatus: install ok installed\nVersion: 1\nDescription: x\n y\n\nPackage: b\nVersion: 2:1\n"
        ],
        mutation.lines,
        ("packages",),
        (Remark,),
    ),
    "packages-apk": Target(
        _database(apk.KIND, b"/lib/apk/db/installed"),
        lambda: [b"C:Q1\nP:a\nV:1\nA:x86_64\no:src\nF:usr/bin\nM:0:0:755\nR:tool\na:0:0:755\nZ:Q1\nF:\nR:x\n\nP:b\n\n"],
        mutation.lines,
        ("packages",),
        (Remark,),
    ),
    "packages-pip": Target(
        _database(pip.KIND, b"/usr/lib/python3/dist-packages/x.dist-info/METADATA"),
        lambda: [
            b"Metadata-Version: 2.1\nName: A_b\nVersion: 1\n\nfree: text\n",
            b'Name: x\n"a,b",sha256=x,3\n../../bin/y,,\n',
        ],
        mutation.lines,
        ("packages",),
        (Remark,),
    ),
    "packages-npm": Target(
        _database(npm.KIND, b"/srv/node_modules/x/package.json"),
        lambda: [b'{"name": "@s/x", "version": "1.0.0", "dependencies": {"y": ["^1", null, 1e9]}}'],
        mutation.document,
        ("packages",),
        (Remark,),
    ),
    "packages-rpm-sqlite": Target(
        _database(rpm.KIND, b"/var/lib/rpm/rpmdb.sqlite"), _rpm_sqlite, mutation.numbers, ("packages",), (Remark,)
    ),
    "packages-rpm-ndb": Target(
        _database(rpm.KIND, b"/var/lib/rpm/Packages.db"), _rpm_ndb, mutation.numbers, ("packages",), (Remark,)
    ),
    "packages-rpm-bdb": Target(
        _database(rpm.KIND, b"/var/lib/rpm/Packages"), _rpm_bdb, mutation.numbers, ("packages",), (Remark,)
    ),
    "passwd": Target(
        _started("etc/passwd", "gosu", "app", "app", user="app"),
        _given(_PASSWD.encode()),
        mutation.lines,
        ("process.engines", "formats.passwd"),
    ),
    "group": Target(
        _started("etc/group", "setpriv", "--reuid=app", "--regid=more", "--init-groups", "app", user="app:more"),
        _given(_GROUP.encode()),
        mutation.lines,
        ("process.engines", "process.wrappers"),
    ),
    "shell": Target(
        _shell,
        _given(*_SCRIPTS),
        mutation.lines,
        ("formats.shell", "process.shell", "process.readers"),
    ),
    "script": Target(
        _started("entry", "/entry", "serve", mode=0o755),
        _given(*_SCRIPTS, b"#!/usr/bin/env bash\nexec app\n"),
        mutation.lines,
        ("process.shell", "process.scripts", "process.shelling"),
    ),
    "arithmetic": Target(
        _arithmetic,
        _given(b"x+1*(2-y)%3", b"1?2:3", b"x=5,y+=x<<2|~z", b"0x1f&&010||!08", b"2**3", b"x++ - --y", b"1/0"),
        mutation.octets,
        ("process.shell.arithmetic",),
        (ArithmeticFails,),
    ),
    "history": Target(_history, _given(*_STEPS), mutation.octets, ("history",)),
    "words": Target(
        _words,
        _given(
            b"localhost:5000/a/b:tag@sha256:" + b"0" * 64,
            b"linux/arm64/v8",
            b"#!/usr/bin/env -S a b\n",
            b"application/vnd.oci.image.layer.v1.tar+gzip",
            b"TOKEN=ghp_0123456789abcdefghij0123456789abcdef",
            b"/usr/bin:/bin::x",
            b"\xff\xfe{\0}\0",
            b"RUN a && b",
        ),
        mutation.octets,
        ("loading.reference", "archive.select", "masking", "formats.shebang"),
    ),
    "wrappers": Target(_wrappers, _given(*_VECTORS), mutation.octets, ("process.wrappers",)),
    "settings": Target(
        _settings,
        lambda: [one + b"\0\0A=b\0PATH=/bin\0\0app:90\0\0/x" for one in _VECTORS],
        mutation.octets,
        ("process.engines", "process.wrappers", "process.wrapping"),
    ),
    "sudoers": Target(
        _started("etc/sudoers", "sudo", "-u", "nobody", "app", user="app"),
        _given(
            b"Defaults env_reset\nroot ALL=(ALL:ALL) ALL\napp ALL=(ALL) NOPASSWD: /bin/app, !/x\n@includedir /etc/d\n",
            b"%more ALL=NOPASSWD:ALL\n#1000 ALL=(#5) \\\n NOPASSWD: ALL\n@include sudoers\n",
        ),
        mutation.lines,
        ("process.wrappers.sudoers", "process.wrappers.switching"),
    ),
    "doas": Target(
        _started("etc/doas.conf", "doas", "-u", "nobody", "app", user="app"),
        _given(b"permit nopass keepenv :more as root cmd app args x\ndeny app\npermit setenv { A=b -C } app\n"),
        mutation.lines,
        ("process.wrappers.doas",),
    ),
    "execline": Target(
        _started("entry", "/entry", "a", mode=0o755),
        _given(
            b"#!/bin/execlineb -P\nforeground { echo x } importas -D y A A\nexport B ${A} cd / app $1\n",
            b'#!/bin/execlineb -S1\n# c\nif -n { test "a\\x41\\n" } define v "x y" ifelse { a } { b } app ${v} $@\n',
        ),
        mutation.lines,
        ("process.wrappers.execline",),
    ),
    "execline-words": Target(
        lambda data: execline.parse_execline(text(data)),
        _given(b'a { b "c\\n" } # d\n \\\n e "${f}"', b"if { a } b"),
        mutation.octets,
        ("process.wrappers.execline",),
        (execline_words.NotFollowed,),
    ),
    "daemons": Target(_config, _given(*_CONFIGS), mutation.lines, ("process.wrappers.daemons",)),
    "toc": Target(
        _toc,
        lambda: [json.dumps(_TOC).encode(), *_texts()[:5]],
        mutation.document,
        ("findings.semantics.toc",),
    ),
    "listing": Target(
        _listing,
        lambda: [json.dumps(_LISTING).encode(), json.dumps(_TOC).encode()],
        mutation.document,
        ("layers.listed", "formats.toc"),
    ),
    "exercise": Target(
        _exercise,
        lambda: [bytes([at]) + known[3] for at, known in enumerate(_exercises())],
        mutation.lines,
        ("workshop",),
        (Missing, ImagepeelError),
    ),
    "detectors": Target(
        _secrets,
        _given(
            b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4\n\n" + b"A" * 64,
            b"//r.example/:_authToken=0123456789ab\n",
            b"aws_secret_access_key = " + b"a" * 40,
            b"machine x login y password z12345\n",
            b'{"auths":{"x":{"auth":"YTpi"}}}',
            b"users:\n- user:\n    token: " + b"a" * 30,
            b"export TOKEN=abc # x\n",
            b"https://a:secret1@h\n",
            b"h:1:d:u:pass\n",
        ),
        mutation.lines,
        ("findings.detectors", "masking"),
    ),
}
"""By name; `make fuzz` runs each for its time."""

_KNOWN: dict[str, tuple[list[bytes], list[bytes]]] = {}


def corpus(name: str) -> tuple[list[bytes], list[bytes]]:
    """The seeds of a target and the words that they are made of."""
    if name not in _KNOWN:
        seeds = [seed for seed in TARGETS[name].seeds() if len(seed) <= 4 * mutation.MOST]
        _KNOWN[name] = seeds, words_of(seeds)
    return _KNOWN[name]


def place_of(error: BaseException) -> str:
    """Where in the package an error came from: what tells one find from another."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "/imagepeel/" in name and "/tests/" not in name:
            frames.append(f"{re.sub('.*/imagepeel/', '', name)}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} {frames[-1] if frames else ''}"


def refused(name: str, data: bytes) -> bool:
    """Give an input to a target; whether it was refused with an error that its callers expect."""
    target = TARGETS[name]
    try:
        target.check(data)
    except target.refusals as error:
        if isinstance(error, ImagepeelError) and error.exit_code == 70:
            raise
        return True
    return False
