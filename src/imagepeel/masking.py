"""Secrets in a text, and how they are made unreadable: the one masking of every output.

A renderer calls `masked` at its one escape point; rules call `secrets_in` and tell what was found.  Three things give a
secret away: its own format (a GitHub token), its place (the password of a URL, of `curl -u`, of an Authorization
header), and the name before it (`DB_PASSWORD=`).  `docs/explanation/findings.md` says what is not looked for.

Most texts hold none of the words that all patterns need (`_HINT`), and cost one search.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, NamedTuple

from imagepeel._lazy import late
from imagepeel.evidence import text as readable

if TYPE_CHECKING:
    import re

_SHOWN: ContextVar[bool] = ContextVar("imagepeel_show_secrets", default=False)


@contextmanager
def show_secrets() -> Iterator[None]:
    """Show secrets in clear while the `with` block runs: in stories, documents, JSON and cards that are made in it.

        with imagepeel.show_secrets():
            print(image.explain())

    It holds for this thread or task only.  Findings never quote a secret.
    """
    before = _SHOWN.set(True)
    try:
        yield
    finally:
        _SHOWN.reset(before)


def secrets_shown() -> bool:
    """Whether `show_secrets` is in force."""
    return _SHOWN.get()


Proof = Literal["format", "place", "name"]


class FoundSecret(NamedTuple):
    """One secret in a text: what it is, where its value stands (`start` to `end`), and what gives it away."""

    what: str
    start: int
    end: int
    by: Proof


TOKENS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        late(r"(?<![A-Za-z0-9_])(gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{70,255})"),
    ),
    (
        "GitLab token",
        "glpat- gldt- glrt- glcbt- glptt- glsoat-",
        late(r"(?<![A-Za-z0-9_-])(gl(?:pat|dt|rt|cbt|ptt|soat)-[A-Za-z0-9_-]{20,64})(?![A-Za-z0-9_-])"),
    ),
    ("Slack token", "xox", late(r"(?<![A-Za-z0-9])(xox[abprs]-[0-9]{6,}-[A-Za-z0-9-]{10,200})")),
    (
        "Slack webhook",
        "hooks.slack.com",
        late(r"(?<=hooks\.slack\.com/services/)(T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{20,40})"),
    ),
    ("npm token", "npm_", late(r"(?<![A-Za-z0-9_])(npm_[A-Za-z0-9]{36})(?![A-Za-z0-9])")),
    ("PyPI token", "pypi-", late(r"(?<![A-Za-z0-9-])(pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,400})")),
    ("RubyGems key", "rubygems_", late(r"(?<![A-Za-z0-9_])(rubygems_[a-f0-9]{48})(?![A-Za-z0-9])")),
    ("Docker Hub token", "dckr_", late(r"(?<![A-Za-z0-9_])(dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,64})")),
    ("Stripe live key", "_live_", late(r"(?<![A-Za-z0-9_])([rs]k_live_[A-Za-z0-9]{20,200})(?![A-Za-z0-9])")),
    ("Stripe webhook secret", "whsec_", late(r"(?<![A-Za-z0-9_])(whsec_[A-Za-z0-9+/=]{32,100})")),
    ("SendGrid key", "SG.", late(r"(?<![A-Za-z0-9_.])(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])")),
    ("Google API key", "AIza", late(r"(?<![A-Za-z0-9_-])(AIza[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])")),
    ("Anthropic key", "sk-ant-", late(r"(?<![A-Za-z0-9_-])(sk-ant-[A-Za-z0-9_-]{32,200})")),
    (
        "OpenAI key",
        "sk-",
        late(
            r"(?<![A-Za-z0-9_-])(sk-(?:proj-|svcacct-|admin-)[A-Za-z0-9_-]{32,200}|sk-[A-Za-z0-9]{48})(?![A-Za-z0-9])"
        ),
    ),
    ("Hugging Face token", "hf_", late(r"(?<![A-Za-z0-9_])(hf_[A-Za-z0-9]{34,40})(?![A-Za-z0-9])")),
    ("DigitalOcean token", "_v1_", late(r"(?<![A-Za-z0-9_])(do[opr]_v1_[a-f0-9]{64})(?![A-Za-z0-9])")),
    (
        "Shopify token",
        "shpat_ shpca_ shppa_ shpss_",
        late(r"(?<![A-Za-z0-9_])(shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})(?![A-Za-z0-9])"),
    ),
    ("Databricks token", "dapi", late(r"(?<![A-Za-z0-9_])(dapi[a-f0-9]{32})(?![A-Za-z0-9])")),
    ("Vault token", "hvs.", late(r"(?<![A-Za-z0-9_])(hvs\.[A-Za-z0-9_-]{24,200})")),
    ("Grafana token", "glsa_ glc_", late(r"(?<![A-Za-z0-9_])(gl(?:sa|c)_[A-Za-z0-9_=]{32,200})")),
    ("New Relic key", "NRAK-", late(r"(?<![A-Za-z0-9_-])(NRAK-[A-Z0-9]{27})(?![A-Za-z0-9])")),
    ("Linear key", "lin_api_", late(r"(?<![A-Za-z0-9_])(lin_api_[A-Za-z0-9]{40})(?![A-Za-z0-9])")),
    ("age key", "AGE-SECRET-KEY-1", late(r"(?<![A-Z0-9-])(AGE-SECRET-KEY-1[A-Z0-9]{58})(?![A-Z0-9])")),
)
"""Keys and tokens whose fixed prefix and length prove them wherever they stand: what it is, the words of which one
stands in each, the pattern, whose group 1 is the secret."""

_LINES: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...] = (
    (
        "password of curl",
        late(r"(?<![\w.-])(?:curl|curlie|xh)(?=[\s\"'])[^\n]*"),
        late(
            r"[\s\"'](?:-u|-U|--user|--proxy-user)(?:\\*[\"'],?\s*\\*[\"']|\s+\\*['\"]?|=\\*['\"]?|)[^\s:'\",]{0,100}:([^\s'\"\\]{3,200})"
        ),
    ),
    (
        "registry password",
        late(r"(?<![\w.-])(?:docker|podman|buildah|skopeo|nerdctl|crane|helm|oras)(?=[\s\"'])[^\n]*"),
        late(r"\blogin\b.{0,400}?[\s\"']-p(?:\\*[\"'],?\s*\\*[\"']|\s+\\*['\"]?|=\\*['\"]?|)([^\s'\"\\]{3,200})"),
    ),
)
"""Programs whose short options hold a password: what it is, the program and the rest of its line, the option."""
_OPTION = late(
    r"(?i)(?<![^\s\"',=(\[])--?(?:[a-z0-9-]{0,40}-)?(?:password|passwd|passphrase|token|api-?key|secret|secret-key|access-key)"
    r"(?:=|\s+|\\*[\"'],?\s*\\*[\"'])\\*['\"]?(?!id=|type=|src=|env=)([^\s'\",\]\\-][^\s'\",\]\\]{5,400})"
)
_SSHPASS = late(r"\bsshpass[\"']?,?\s+[\"']?-p[\"']?,?\s*['\"]?([^\s'\"]{3,200})")
_HEADER = late(
    r"(?i)\b(?:(?:proxy-)?authorization|private-token|job-token|x-(?:api-key|auth-token|vault-token))\s*:\s*"
    r"(?:(?:basic|token|apikey|bearer|negotiate)\s+)?([A-Za-z0-9._~+/=:-]{8,4000})"
)
_PLACED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("password of a URL", late(r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@'\"]{0,100}:([^\s/@'\"]{3,200})@")),
    ("bearer token", late(r"(?i)\bbearer\s+['\"]?([A-Za-z0-9._~+/=-]{16,4000})")),
    ("credentials of an HTTP header", _HEADER),
    (
        "JSON web token",
        late(r"(?<![A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{20,1000})"),
    ),
    (
        "AWS secret access key",
        late(r"(?i)aws_secret(?:_access)?_key['\"]?\s*[=:]\s*['\"]?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
    ),
    ("private key", late(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----\s*(?:\\n)?([A-Za-z0-9+/=\s\\]{24,20000}+)")),
    ("password of an option", _OPTION),
    ("password of sshpass", _SSHPASS),
    ("password of a login", late(r"\b(?:login|user)\s+\S{1,100}\s+password\s+(\S{3,200})")),
    ("registry password", late(r"\"auth\\*\"\s*:\s*\\*\"([A-Za-z0-9+/=]{8,2000})\"")),
)
_ASSIGNED = late(
    r"(?<![A-Za-z0-9_.-])([A-Za-z_][A-Za-z0-9_.-]{0,80})="
    r"(?:\"((?:[^\"\\]|\\.){1,4000})\"|\\+\"([^\"\\]{1,4000})\\|'([^']{1,4000})'|([^\s\"'\\]{1,4000}))"
)
_BESIDE = late(r"(?:^|[\s;&|])(?:ENV|ARG|LABEL)\s+([A-Za-z_][A-Za-z0-9_.-]{0,80})[ \t]+([^\s=][^\n]{0,4000})")
_KEYED = late(r"[\"']?\b([A-Za-z_][A-Za-z0-9_.-]{0,80})\\*[\"']?\s*:\s*\\*[\"']?([A-Za-z0-9+/=_.~!@#$%^&*-]{8,4000})")

_HINT = (
    'passw|passp|pwd|pass[=:]|_pass|secret|token|[-_]?key|bearer|authoriz|credential|"auth"|://[^/\\s@]{0,400}@|curl|sshpass|login|'
    "gh[pousr]_|github_pat_|gl[a-z]{2,4}[-_]|xox|hooks\\.slack|npm_|pypi-|rubygems_|dckr_|_live_|whsec_|SG\\.|AIza|sk-|hf_|"
    "_v1_|shp|dapi|hvs\\.|NRAK|lin_api|eyJ|PRIVATE"
)
_SECRET_NAME = late(
    r"(?i)(?:passw(?:or)?d|passphrase|[_.-]pass|[_.-]pwd|secret|token|api[_.-]?key|private[_.-]?key|access[_.-]?key|"
    r"account[_.-]?key|secret[_.-]?key(?:[_.-]base)?|encryption[_.-]?key|signing[_.-]?key|credentials?)(?:_\d+)?$"
)
_PLACEHOLDER = late(
    r"(?i)^(?:|true|false|yes|no|on|off|null|none|nil|\d{1,4}|x+|\*+|\.+|change[-_]?me.*|todo|replace.*|your[-_ ].*|"
    r"<.*>|\[.*\]|\{\{.*\}\}|\$.*|%.*%|secret|password|example|test|dummy|/.*|https?://[^@]*|.{0,4}\.\.\.)$"
)


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret by its name; `_FILE`, `_PATH` and the like do not."""
    return bool(_SECRET_NAME.search(name))


def is_placeholder(value: str) -> bool:
    """Whether a value stands for "fill me in", a switch, a path, another variable, or what a mask left of a secret."""
    return bool(_PLACEHOLDER.match(value.strip()))


def is_varied(value: str) -> bool:
    """Whether a token looks drawn by chance: `xxxx...` and `0000...` are placeholders."""
    return len(set(value[8:])) >= 8


def mask(value: str | bytes) -> str:
    """Return at most the first four characters of a value of twelve or more, else none, and how long it is."""
    shown = readable(value)
    head = shown[:4] if len(shown) >= 12 else ""
    return f"{head}... ({len(shown)} characters)"


def masked(words: str) -> str:
    """Return a text with its secrets masked; as it is while `show_secrets` is in force."""
    return words if _SHOWN.get() else redacted(words)


def redacted(words: str) -> str:
    """Return a text with its secrets masked, always.

    A second call changes nothing.  The cost is one search for a few words where there is no secret.
    """
    if len(words) < 8 or _HINTS.search(words) is None:
        return words
    out: list[str] = []
    at = 0
    for secret in secrets_in(words):
        out += (words[at : secret.start], mask(words[secret.start : secret.end]))
        at = secret.end
    return "".join((*out, words[at:])) if out else words


def masked_words(words: Sequence[str]) -> list[str]:
    """Return the words of a command or the entries of a list, each masked as it would be with the others beside it.

    `["curl", "-u", "me:secret"]` has its password in a word that alone says nothing.
    """
    line = " ".join(words)
    if _SHOWN.get() or _HINTS.search(line) is None:
        return list(words)
    found = secrets_in(line)
    out: list[str] = []
    start = 0
    for word in words:
        end = start + len(word)
        inside = [
            (max(s.start, start) - start, min(s.end, end) - start) for s in found if s.start < end and s.end > start
        ]
        shown, at = "", 0
        for first, last in inside:
            shown += word[at:first] + mask(word[first:last])
            at = last
        out.append(shown + word[at:])
        start = end + 1
    return out


def masked_value(name: str, value: str) -> str:
    """Return the value of a variable, label or option with this name, masked where the name or the value says so."""
    if _SHOWN.get():
        return value
    if is_secret_name(name) and not is_placeholder(value) and not _MASKED.search(value):
        return mask(value)
    return masked(value)


_HINTS = late(f"(?i){_HINT}")
_MASKED = late(r"\.\.\. \(\d+ characters\)")


def secrets_in(words: str) -> list[FoundSecret]:
    """Return the secrets of a text in the order in which they stand, none inside another.

    Of two that overlap, the one that is known for its format comes before the one for its place, and that before the
    one for its name.
    """
    taken: list[FoundSecret] = []
    ends: list[int] = []
    for secret in (*tokens_in(words), *_by_place(words), *_by_name(words)):
        at = bisect_right(ends, secret.start)
        if at == len(taken) or secret.end <= taken[at].start:
            taken.insert(at, secret)
            ends.insert(at, secret.end)
    return taken


def tokens_in(words: str) -> Iterator[FoundSecret]:
    """Yield the keys and tokens of a text that their format proves, kind by kind."""
    for kind, marks, pattern in TOKENS:
        if not any(mark in words for mark in marks.split()):
            continue  # and the pattern need not be compiled
        for found in pattern.finditer(words):
            if is_varied(found[1]):
                yield FoundSecret(kind, *found.span(1), "format")


def _by_place(words: str) -> Iterator[FoundSecret]:
    for kind, pattern in _PLACED:
        for found in pattern.finditer(words):
            if not _harmless(words, found.start(1), found[1]):
                yield FoundSecret(kind, *found.span(1), "place")
    for kind, line, pattern in _LINES:
        for program in line.finditer(words):
            for found in pattern.finditer(words, *program.span()):
                if not _harmless(words, found.start(1), found[1]):
                    yield FoundSecret(kind, *found.span(1), "place")


def _by_name(words: str) -> Iterator[FoundSecret]:
    for found in _ASSIGNED.finditer(words):
        group = found.lastindex or 2
        if is_secret_name(found[1]) and not _harmless(words, found.start(group), found[group]):
            yield FoundSecret(found[1], *found.span(group), "name")
    for found in _BESIDE.finditer(words):
        if is_secret_name(found[1]) and not _harmless(words, found.start(2), found[2]):
            yield FoundSecret(found[1], *found.span(2), "name")
    for found in _KEYED.finditer(words):
        # A sentence has a colon too: only what looks like a key and not like a word is a value there.
        value = found[2]
        if is_secret_name(found[1]) and any(map(str.isdigit, value)) and not _harmless(words, found.start(2), value):
            yield FoundSecret(found[1], *found.span(2), "name")


def _harmless(words: str, at: int, value: str) -> bool:
    """Whether a value is none: a placeholder, a variable that is filled in later, or what a mask left."""
    return is_placeholder(value) or _MASKED.match(words, at + min(4, max(0, value.find("...")))) is not None
