"""Secrets that everybody with the image has: in files, in deleted files, in the environment and in history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.evidence import layer_label, raw, step_number, text
from imagepeel.findings import detectors
from imagepeel.findings.detectors import Secret
from imagepeel.findings.finding import Finding, Severity
from imagepeel.findings.rule import Rule, rule
from imagepeel.history.builders import MAX_TEXT
from imagepeel.masking import is_placeholder, is_secret, mask, secrets_in
from imagepeel.text import listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

_ASSIGNED = late(r"(?<![^\s=\"'])([^\s=\"']++)=")
_SETTING = ("ENV", "LABEL")


def _what(secrets: tuple[Secret, ...]) -> str:
    return listed([f"{_article(secret.what)} {secret.masked}".rstrip() for secret in secrets], 4)


def _article(kind: str) -> str:
    """`a GitHub token`, `an AWS secret access key`; the name of a variable stays bare."""
    if kind.isupper():
        return kind
    return f"{'an' if kind[0] in 'AaEeIiOo' or kind.startswith(('RSA', 'npm')) else 'a'} {kind}"


def _severity(path: bytes, secrets: tuple[Secret, ...]) -> Severity:
    proved = any(secret.proved for secret in secrets) and not detectors.is_installed(path)
    return "high" if proved else "medium"


@rule(
    "SHIPPED-SECRET",
    "A secret is in a file of the image",
    "high",
    "headcount",
    "infosec",
    why="""Everybody who can pull the image can read the file.  A registry is no vault, and a private one is shared by
    more people than the secret was meant for.""",
    fix="mount it at run time (--mount type=secret while building); then replace the secret, since it has been shipped",
    codes="W32",
    sources="docs.docker.com build secrets, google/osv-scalibr#1297",
)
def shipped_secret(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for path, members in subject.secrets.items():
        seen = [(hit, secrets) for hit, secrets in members if subject.visible(hit)]
        if not seen:
            continue
        hit, secrets = seen[-1]
        lines = [f"line {secret.line}: {secret.what} {secret.masked}".rstrip() for secret in secrets]
        others = [other for other, _ in members if other != hit]
        yield rule.report(
            f"{text(path)} holds {_what(secrets)}",
            (subject.place(hit), "secret-file"),
            *[(subject.place(other), "secret-file") for other in others],
            severity=_severity(path, secrets),
            details=lines,
        )


@rule(
    "DELETED-SECRET",
    "Deleted is not gone: a removed file with a secret is still shipped",
    "high",
    "headcount",
    "infosec",
    why="""`rm` in a later layer writes a tombstone and nothing else.  The layer below still carries the file, every
    pull transfers it, and one line of shell brings it back.""",
    fix="never COPY it: use --mount=type=secret, or a stage that is thrown away; then replace the secret",
    codes="W33",
    sources="nestjs-boilerplate#775, google/osv-scalibr#1297, moby/buildkit secrets",
)
def deleted_secret(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for path, members in subject.secrets.items():
        if any(subject.visible(hit) for hit, _ in members):
            continue
        hit, secrets = members[-1]
        gone = subject.whiteout_of(hit.layer, path)
        later = subject.node(path, follow=False)
        if gone is not None:
            how = f"removed by layer {layer_label(gone.layer)}"
        elif later is not None and later.layer is not None and later.layer > hit.layer:
            how = f"replaced by layer {layer_label(later.layer)}"
        else:
            how = "hidden from the container"
        yield rule.report(
            f"{text(path)} was {how} and is still in layer {layer_label(hit.layer)}, with {_what(secrets)}",
            (subject.place(hit), "secret-file"),
            *([subject.place(gone)] if gone is not None else []),
            *[(subject.place(other), "secret-file") for other, _ in members[:-1]],
            severity=_severity(path, secrets),
            details=[f"line {secret.line}: {secret.what} {secret.masked}".rstrip() for secret in secrets],
        )


@rule(
    "SECRET-IN-ENV",
    "A secret is in ENV or in a label",
    "high",
    "headcount",
    "infosec",
    why="""ENV and LABEL are stored in plain text in the config.  `docker inspect`, every registry interface and every
    child process show them.""",
    fix="pass it at run time, best as a file; then replace it",
    codes="W32",
    sources="nodebestpractices#714, product-os/jellyfish#6111",
)
def secret_in_env(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for index, entry in enumerate(subject.config.env):
        name, equals, value = entry.partition("=")
        if not equals:
            continue
        proved = _proved(value)
        if proved:
            yield rule.report(
                f"the variable {name} holds {_what(proved)}",
                (subject.pointer(f"/config/Env/{index}"), "secret-config"),
            )
        elif is_secret(name, value) and len(value) >= 6 and not is_placeholder(value):
            yield rule.report(
                f"the variable {name} has the value {mask(value)}",
                (subject.pointer(f"/config/Env/{index}"), "secret-config"),
                severity="medium",
            )
        elif placed := _quoted(value[: detectors.MOST_BYTES]):
            yield rule.report(
                f"the variable {name} holds {_what(placed)}",
                (subject.pointer(f"/config/Env/{index}"), "secret-config"),
                severity="medium",
            )
    for key, value in subject.config.labels.items():
        proved = _proved(value)
        where = (subject.pointer("/config/Labels/" + key.replace("~", "~0").replace("/", "~1")), "secret-config")
        if proved:
            yield rule.report(f"the label {key} holds {_what(proved)}", where)
        elif is_secret(key, value) and len(value) >= 6 and not is_placeholder(value):
            yield rule.report(f"the label {key} has the value {mask(value)}", where, severity="medium")
        elif placed := _quoted(value[: detectors.MOST_BYTES]):
            yield rule.report(f"the label {key} holds {_what(placed)}", where, severity="medium")


def _proved(value: str) -> tuple[Secret, ...]:
    data = raw(value[: detectors.MOST_BYTES])
    if len(data) < 16:
        return ()
    return tuple(secret for secret in detectors.detect(b"", data) if secret.proved)


@rule(
    "SECRET-IN-HISTORY",
    "A build argument with a secret is in history",
    "high",
    "headcount",
    "infosec",
    why="""Build arguments are no build secrets: the builder writes `|1 TOKEN=value` in front of every RUN that could
    see it, into the history that travels with the image.""",
    fix="use --mount=type=secret; then replace the secret",
    codes="W32",
    sources="docs.docker.com ARG, nodebestpractices#714",
)
def secret_in_history(rule: Rule, subject: Subject) -> Iterator[Finding]:
    told: set[str] = set()
    by_name = _set_by_steps(subject)
    for index, step in enumerate(subject.instructions):
        # What ENV and LABEL say is found in the config itself, unless a later step replaced it.
        line = step.raw[:MAX_TEXT]
        kept = step.keyword in _SETTING and any(
            line.startswith(tuple(by_name.get(name[1], ())[-8:]), name.start()) for name in _ASSIGNED.finditer(line)
        )
        proved = () if kept else _quoted(line)
        named = []
        for argument in (*step.arguments, *([step.text] if step.keyword == "ARG" else ())):
            name, _, value = argument.partition("=")
            if is_secret(name, value) and len(value) >= 6 and not is_placeholder(value):
                named.append((name, value))
        fresh = [(name, value) for name, value in named if f"{name}={value}" not in told]
        told.update(f"{name}={value}" for name, value in fresh)
        if not fresh and not proved:
            continue
        what = [f"{name} {mask(value)}" for name, value in fresh]
        # A token that is the value of an argument is told once.
        shown = {mask(value) for _, value in fresh}
        what += [_what((secret,)) for secret in proved if secret.masked not in shown]
        yield rule.report(
            f"history step {step_number(index)} shows {listed(what)}",
            (subject.pointer(f"/history/{index}/created_by", index), "secret-config"),
            severity="high" if proved else "medium",
        )


def _set_by_steps(subject: Subject) -> dict[str, list[str]]:
    """The variables and labels of the config whose names a step sets: most of very many are set by none."""
    lines = (step.raw[:MAX_TEXT] for step in subject.instructions if step.keyword in _SETTING)
    found: dict[str, list[str]] = {name[1]: [] for line in lines for name in _ASSIGNED.finditer(line)}
    labels = (f"{key}={value}" for key, value in subject.config.labels.items())
    for entry in chain(subject.config.env, labels) if found else ():
        name = entry.partition("=")[0]
        if name in found:
            found[name].append(entry)
    return found


def _quoted(line: str) -> tuple[Secret, ...]:
    """The secrets of a command line that their format or their place proves: a token, what curl and URLs are given."""
    return tuple(
        Secret(what=found.what, masked=mask(line[found.start : found.end]), line=1)
        for found in secrets_in(line)
        if found.by != "name"
    )


@rule(
    "HOST-IDENTITY",
    "Every container of this image has the same identity",
    "medium",
    "headcount",
    "infosec",
    why="""An SSH host key, a machine-id or a random seed that was made while building is shared by all containers and
    by everybody with the image.  Clients cannot tell one from another, and whoever has the image can impersonate
    it.""",
    fix="delete it in the layer that makes it, and create it at the first start",
    codes="W67",
    sources="machine-id(5), sshd(8)",
)
def host_identity(rule: Rule, subject: Subject) -> Iterator[Finding]:
    names = subject.names
    keys = [
        hit
        for hit in names.named(b"ssh_host_rsa_key", b"ssh_host_dsa_key", b"ssh_host_ecdsa_key", b"ssh_host_ed25519_key")
        if hit.path.startswith(b"/etc/ssh/")
    ]
    shown = subject.shown(keys)
    if shown:
        yield rule.report(
            f"{plural(len(shown), 'SSH host key')} made while building: {listed([text(hit.path) for hit in shown])}",
            *[(subject.place(hit), "secret-file") for hit in shown],
        )
    for hit in subject.shown([hit for hit in names.named(b"machine-id") if hit.path == b"/etc/machine-id"]):
        data = subject.read_entry(hit, 64).strip()
        if re.fullmatch(rb"[0-9a-f]{32}", data):
            yield rule.report(
                f"/etc/machine-id is fixed to {text(data[:4])}...: every container claims to be the same machine",
                (subject.place(hit), "secret-file"),
                severity="low",
            )
    for hit in subject.shown([hit for hit in names.named(b"random-seed") if b"/systemd/" in hit.path]):
        yield rule.report(
            f"{text(hit.path)} gives every container the same seed", (subject.place(hit), "entry"), severity="low"
        )
    for hit in subject.shown([hit for hit in names.ending(b".key") if hit.path.endswith(b"/ssl-cert-snakeoil.key")]):
        yield rule.report(
            f"{text(hit.path)} was made while building: all containers share it",
            (subject.place(hit), "entry"),
            severity="low",
        )


RULES: tuple[Rule, ...] = (shipped_secret, deleted_secret, secret_in_env, secret_in_history, host_identity)
