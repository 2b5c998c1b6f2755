"""A dozen precise secret detectors over small texts.  Not a full scanner: `docs/explanation/findings.md` says why.

Each knows one format exactly enough that a match is a secret and not a word that looks like one.  What is found is
kept only as a masked text: four characters at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from imagepeel._lazy import late
from imagepeel.evidence import text
from imagepeel.masking import is_placeholder, is_secret, mask, tokens_in

MOST_BYTES = 64 * 1024
"""Bytes read of one candidate file; secrets of these formats are smaller."""


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret: what it is, its masked value, the 1-based line, and whether the format itself proves it.

    `proved` is False for values that only their name gives away, such as PASSWORD= in a .env file.
    """

    what: str
    masked: str
    line: int
    proved: bool = True


_PEM = late(
    rb"-----BEGIN ((?:RSA |EC |DSA |OPENSSH |ENCRYPTED )?PRIVATE KEY)-----\s{0,200}+"
    rb"(?:[A-Za-z-]{1,40}+: [^\n]{0,200}+\n){0,20}+\s{0,200}+([A-Za-z0-9+/=]{24})"
)
_AWS_ID = late(rb"(?<![A-Z0-9])((?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Z0-9])")
_AWS_SECRET = late(
    rb"(?i)aws_secret(?:_access)?_key['\"]?\s{0,40}+[=:]\s{0,40}+['\"]?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
)
_NPMRC = late(
    rb"(?m)^[^\n#;]{0,400}:_(?:authToken|password|auth)[ \t]{0,40}+=[ \t]{0,40}+([^\s$][^\s]{7,4000}+)[ \t\r]{0,40}+$"
)
_NETRC = late(
    rb"(?:machine\s{1,200}(\S{1,400})|default)\s{1,200}login\s{1,200}\S{1,400}\s{1,200}password\s{1,200}(\S{1,4000}+)"
)
_DOCKER_AUTH = late(rb'"auth"\s{0,200}+:\s{0,200}+"([A-Za-z0-9+/=]{8,}+)"')
_KUBE_KEY = late(rb"(?m)^[ \t]*+(client-key-data|token):\s{0,200}+[\"']?([A-Za-z0-9+/=._-]{20,})")
_ASSIGNMENT = late(rb"(?m)^[ \t]*+(?:export[ \t]++)?([A-Za-z_][A-Za-z0-9_]{2,80})[ \t]*+=[ \t]*+([^\n\r]*+)[ \t\r]*+$")
_GIT_CREDENTIAL = late(rb"(?m)^https?://[^\s:/@]++:([^\s@/]{6,}+)@")
_PGPASS = late(rb"(?m)^(?!#)[^\s:]++:[^\s:]++:[^\s:]++:[^\s:]++:(\S{4,}+)$")


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1


def _keys(data: bytes) -> Iterator[Secret]:
    if b"PRIVATE KEY-----" not in data:
        return
    for found in _PEM.finditer(data):
        what = text(found[1]).replace("PRIVATE KEY", "private key").strip()
        encrypted = b"ENCRYPTED" in data[max(0, found.start() - 8) : found.start() + 200]
        kind = f"PEM {what}" if what == "private key" else what
        yield Secret(
            what=kind + (" (protected by a passphrase)" if encrypted else ""),
            masked="",
            line=_line(data, found.start()),
            proved=not encrypted,
        )


def _aws(data: bytes) -> Iterator[Secret]:
    secret = _AWS_SECRET.search(data) if b"aws_secret" in data.lower() else None
    if secret is not None and b"EXAMPLE" not in secret[1]:
        identity = _AWS_ID.search(data)
        who = f" of {mask(identity[1])}" if identity is not None else ""
        yield Secret(what=f"AWS secret access key{who}", masked=mask(secret[1]), line=_line(data, secret.start()))


def _google(data: bytes) -> Iterator[Secret]:
    if b'"service_account"' not in data:
        return
    if re.search(rb'"type"\s*:\s*"service_account"', data) and re.search(rb'"private_key"\s*:\s*"-----BEGIN', data):
        yield Secret(what="Google service account key", masked="", line=1)


def tokens(data: bytes) -> Iterator[Secret]:
    """Keys and tokens whose format proves them wherever they stand (`masking.TOKENS`)."""
    words = data.decode("latin-1")  # a character a byte, so that places are places in `data`
    for found in tokens_in(words):
        value = words[found.start : found.end]
        yield Secret(what=found.what, masked=mask(value), line=_line(data, found.start))


def _docker(data: bytes) -> Iterator[Secret]:
    if b'"auths"' not in data and b'"auth"' not in data:
        return
    import base64  # start time

    for found in _DOCKER_AUTH.finditer(data):
        try:
            decoded = base64.b64decode(found[1], validate=True)
        except ValueError:
            continue
        name, colon, password = decoded.partition(b":")
        if colon and name and password:
            yield Secret(
                what=f"registry password of {text(name[:40])}",
                masked=mask(password),
                line=_line(data, found.start()),
            )


def _npmrc(data: bytes) -> Iterator[Secret]:
    for found in _NPMRC.finditer(data):
        yield Secret(what="npm registry token", masked=mask(found[1]), line=_line(data, found.start()))


def _netrc(data: bytes) -> Iterator[Secret]:
    for found in _NETRC.finditer(data):
        if not is_placeholder(text(found[2])):
            yield Secret(
                what=f"password for {text((found[1] or b'any host')[:80])}",
                masked=mask(found[2]),
                line=_line(data, found.start()),
            )


def _kubeconfig(data: bytes) -> Iterator[Secret]:
    if b"clusters:" not in data or b"users:" not in data:
        return
    for found in _KUBE_KEY.finditer(data):
        what = "client key" if found[1] == b"client-key-data" else "token"
        yield Secret(what=f"Kubernetes {what}", masked=mask(found[2]), line=_line(data, found.start()))


def _unquoted(value: bytes) -> bytes:
    return value[1:-1] if len(value) > 1 and value[:1] == value[-1:] and value[:1] in b"'\"" else value


def _dotenv(data: bytes) -> Iterator[Secret]:
    for found in _ASSIGNMENT.finditer(data):
        name, value = text(found[1]), text(_unquoted(found[2].rstrip(b" \t"))).strip()
        if is_secret(name, value) and len(value) >= 6 and not is_placeholder(value):
            yield Secret(what=name, masked=mask(value), line=_line(data, found.start()), proved=False)


def _git(data: bytes) -> Iterator[Secret]:
    for found in _GIT_CREDENTIAL.finditer(data):
        yield Secret(what="password in a git credential store", masked=mask(found[1]), line=_line(data, found.start()))


def _pgpass(data: bytes) -> Iterator[Secret]:
    for found in _PGPASS.finditer(data):
        yield Secret(what="PostgreSQL password", masked=mask(found[1]), line=_line(data, found.start()))


_ANYWHERE: tuple[Callable[[bytes], Iterator[Secret]], ...] = (_keys, _aws, _google, tokens)
_BY_NAME: dict[bytes, tuple[Callable[[bytes], Iterator[Secret]], ...]] = {
    b".npmrc": (_npmrc,),
    b".netrc": (_netrc,),
    b"_netrc": (_netrc,),
    b"config.json": (_docker,),
    b".dockercfg": (_docker,),
    b".dockerconfigjson": (_docker,),
    b"auth.json": (_docker,),
    b"kubeconfig": (_kubeconfig,),
    b"config": (_kubeconfig,),
    b".git-credentials": (_git,),
    b".pgpass": (_pgpass,),
    b".env": (_dotenv,),
}

_PACKAGED = late(
    rb"^/(?:usr/(?:local/)?(?:lib(?:32|64)?|share|src)|opt/[^/]+/lib|var/lib)/.*?"
    rb"/(?:tests?|testing|testdata|test_data|test-data|test-keys|demos?|examples?|samples?|docs?|fixtures?|spec)/"
    rb"|/(?:node_modules|site-packages|dist-packages|vendor|gems)/.*?"
    rb"/(?:tests?|testing|testdata|test_data|demos?|examples?|samples?|docs?|fixtures?|spec)/"
    rb"|/lib(?:32|64)?/python[23]\.\d+/test/"
    rb"|/go/(?:pkg/mod|src)/.*?/(?:testdata|tests?|examples?)/"
    rb"|/dummyserver/certs/|^/usr/share/doc/"
)
_INSTALLED = late(rb"/(?:node_modules|site-packages|dist-packages|gems)/")
_LONGEST_PATH = 4096
_SHARED_PAIRS = frozenset({b"ssl-cert-snakeoil.key"})


def is_published_example(path: bytes) -> bool:
    """Whether a file belongs to the tests, examples or documentation of an installed package.

    Keys there are published with the package (Python's own test suite has a dozen); nobody protects anything with
    them.  The snake-oil key of Debian is judged as a host identity instead.
    """
    # A pattern with two open ends costs the square of a path, and no file has a longer one.
    return (len(path) < _LONGEST_PATH and bool(_PACKAGED.search(path))) or path.rsplit(b"/", 1)[-1] in _SHARED_PAIRS


def is_installed(path: bytes) -> bool:
    """Whether a file came with an installed library: a secret there is more likely public than leaked."""
    return bool(_INSTALLED.search(path))


def detect(path: bytes, data: bytes) -> tuple[Secret, ...]:
    """Return the secrets in the first bytes of a file with this path.

    Detectors for formats that prove themselves run on every candidate, the others only on files of their name.
    """
    name = path.rsplit(b"/", 1)[-1]
    found: list[Secret] = []
    for detector in _ANYWHERE:
        found.extend(detector(data))
    named = _BY_NAME.get(name, (_dotenv,) if name.endswith(b".env") else ())
    for detector in named:
        # The same value of the same line, known already by its own format, is one secret and not two.
        known = {(secret.masked, secret.line) for secret in found}
        found.extend(secret for secret in detector(data) if (secret.masked, secret.line) not in known)
    return tuple(dict.fromkeys(found))[:20]
