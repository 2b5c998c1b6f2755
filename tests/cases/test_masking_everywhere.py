"""One masking for every output: secrets of each kind, planted in each place, in every command and every form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.forge.specimens import add, sound

Make = Callable[..., Path]
Run = Callable[..., Any]

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzAB"


def secret(kind: str, length: int = 36) -> str:
    """Letters and digits that no other kind has, as a generator of keys would give."""
    start = sum(map(ord, kind)) % 29
    return (kind[:2].upper() + (ALPHABET * 4)[start : start + length])[:length]


ENV_TOKEN = f"ghp_{secret('environment')}"
LABEL_KEY = f"sk_live_{secret('label', 30)}"
ANNOTATION = f"glpat-{secret('annotation', 20)}"
COMMENT = f"npm_{secret('comment')}"
AUTHOR = f"hf_{secret('author', 34)}"
BEARER = secret("bearer", 40)
HEADER = secret("header", 32)
JWT = f"eyJ{secret('head', 20)}.eyJ{secret('body', 30)}.{secret('sign', 40)}"
ONBUILD = f"dckr_pat_{secret('onbuild', 27)}"
IN_CONFIG = {
    "a token in Env": ENV_TOKEN,
    "a password in Env": "hunter2-in-env",
    "the password of a URL in Env": "Hunter2InUrl",
    "a label": LABEL_KEY,
    "a label by its name": "hunter2-in-label",
    "a password in the command": "hunter2-as-option",
    "a token in the entrypoint": "hunter2-of-entrypoint",
    "a health check": "hunter2-in-health",
    "onbuild": ONBUILD,
}
"""What stands in the config for a process."""
IN_HISTORY = {
    "curl -u": "Sup3rS3cretPw99",
    "a bearer token": BEARER,
    "a header": HEADER,
    "a web token": JWT,
    "a build argument": "hunter2-as-argument",
    "an ENV step": "hunter2-in-step",
    "the user of a URL": "Hunter2OfClone",
    "a login": "Hunter2OfLogin",
    "the comment of a step": COMMENT,
    "the author": AUTHOR,
}
"""What stands in the lines of the history."""
IN_FILES = {
    "npmrc": f"npm_{secret('npmrc')}",
    "netrc": "hunter2-of-netrc",
    "aws": (secret("aws-secret", 60) + "/+")[-40:],
    "ssh": secret("private-key", 64),
    "source": f"sk_live_{secret('source', 30)}",
    "compose": "hunter2-in-dotenv",
    "script": "hunter2-in-script",
}
"""What stands in files, and in the words of a script that the start follows."""
IN_MANIFEST = {"an annotation": ANNOTATION}
SECRETS = {**IN_CONFIG, **IN_HISTORY, **IN_FILES, **IN_MANIFEST}

PEM = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{IN_FILES['ssh']}\n-----END OPENSSH PRIVATE KEY-----\n"
SCRIPT = (
    f'#!/bin/sh\nset -e\nexport PGPASSWORD={IN_FILES["script"]}\nexec /bin/hello --password {IN_FILES["script"]} "$@"\n'
)


def leaking(extra: str = "", entrypoint: str = "/entrypoint.sh") -> forge.ImageSpec:
    """An image that has a secret of each kind; `extra` makes another image of the same kind."""
    spec = sound(
        add(
            forge.file("root/.npmrc", f"//registry.npmjs.org/:_authToken={IN_FILES['npmrc']}\n", 0o600),
            forge.file("root/.netrc", f"machine example.org login me password {IN_FILES['netrc']}\n", 0o600),
            forge.file("root/.aws/credentials",
                       "[default]\naws_access_key_id = AKIAIOSFODNN7ABCDEFG\n"
                       f"aws_secret_access_key = {IN_FILES['aws']}\n"),
            forge.file("root/.ssh/id_rsa", PEM, 0o600),
            forge.file("app/config.py", f"KEY = '{IN_FILES['source']}'\n"),
            forge.file("app/.env", f"DB_PASSWORD={IN_FILES['compose']}{extra}\n"),
            forge.file("entrypoint.sh", SCRIPT, 0o755),
            by=f"RUN |1 NPM_PASSWORD={IN_HISTORY['a build argument']} /bin/sh -c curl -u admin:"
               f"{IN_HISTORY['curl -u']} https://example.org{extra} # buildkit",
        ),
        add(
            forge.whiteout("app/.env"),
            forge.file("app/more", extra or "x"),
            by=f"RUN /bin/sh -c curl -H 'Authorization: Bearer {BEARER}' -H \"X-Api-Key: {HEADER}\" x && git clone "
               f"https://me:{IN_HISTORY['the user of a URL']}@example.org/a && docker login -u me -p "
               f"{IN_HISTORY['a login']} example.org && echo {JWT} # buildkit",
        ),
        entrypoint=[entrypoint, "--token", IN_CONFIG["a token in the entrypoint"]],
        cmd=[f"--password={IN_CONFIG['a password in the command']}"],
        env=[
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            f"API_TOKEN={ENV_TOKEN}", f"DB_PASSWORD=hunter2-in-env{extra}",
            f"DATABASE_URL=postgres://app:{IN_CONFIG['the password of a URL in Env']}@db/app",
        ],
        labels={"key": LABEL_KEY, "api.secret": f"hunter2-in-label{extra}"},
        healthcheck={"Test": ["CMD-SHELL", f"curl -u admin:{IN_CONFIG['a health check']} http://localhost/"]},
        onbuild=[f"RUN docker login -p {ONBUILD}"],
        annotations={"org.example.note": ANNOTATION}, author=f"jane {AUTHOR}",
    )  # fmt: skip
    last = spec.layers[-1]
    env = add(
        forge.file("app/last", "x"),
        by=f"ENV NEW_PASSWORD={IN_HISTORY['an ENV step']}",
    )
    env = msgspec.structs.replace(env, comment=f"see {COMMENT}")
    return msgspec.structs.replace(spec, layers=(*spec.layers[:-1], last, env))


FILES = {
    "root/.npmrc": "npmrc",
    "root/.netrc": "netrc",
    "root/.aws/credentials": "aws",
    "root/.ssh/id_rsa": "ssh",
    "app/config.py": "source",
    "entrypoint.sh": "script",
}
DOCUMENTS = ([], ["--json"], ["--markdown"], ["--html", "-"])
LISTINGS = ([], ["--json"], ["--html", "-"])
GATES = tuple(["--format", form] for form in ("text", "json", "sarif", "junit", "gitlab", "github", "markdown"))
COMMANDS: dict[str, tuple[list[list[str]], tuple[list[str], ...]]] = {
    "explain": ([[], ["--receipts"]], DOCUMENTS),
    "report": ([[]], (["--json"], ["-o", "-"])),
    "peel": ([[], ["--receipts"]], ([],)),
    "quiz": ([["--count", "100", "--receipts"]], DOCUMENTS[1:]),
    "operate": ([[], ["--receipts"]], DOCUMENTS),
    "process": (
        [[], ["--verbose"], ["--receipts"], ["--matrix"], ["--engine", "podman"], ["-e", "MORE_TOKEN=x1"]],
        DOCUMENTS,
    ),
    "start": ([[]], DOCUMENTS),
    "why": ([["127"], ["exec /entrypoint.sh: no such file or directory"]], DOCUMENTS),
    "wtf": ([[], ["--receipts"]], DOCUMENTS),
    "images": ([[]], DOCUMENTS),
    "layers": ([[]], DOCUMENTS),
    "loadable": ([[]], DOCUMENTS),
    "du": ([[]], DOCUMENTS),
    "slim": ([[], ["--all"]], DOCUMENTS),
    "waste": ([[], ["--all"]], DOCUMENTS),
    "packages": ([[], ["--all"], ["--layer", "2"]], DOCUMENTS),
    "anatomy": ([[], ["L1"], ["L2:/entrypoint.sh"]], DOCUMENTS),
    "views": ([[]], DOCUMENTS),
    "dockerfile": ([[]], DOCUMENTS),
    "trace": ([["/app/.env"], ["/entrypoint.sh"]], DOCUMENTS),
    "blame": ([["/app/.env"], ["/entrypoint.sh"], ["/root/.ssh/id_rsa"]], DOCUMENTS),
    "log": ([["-p", "/app/.env"], ["-p", "/root/.ssh/id_rsa"], ["-p", "--layer", "2"], ["--layer", "2"]], DOCUMENTS),
    "survey": ([["--out", "{facts}"]], DOCUMENTS),
    "lineage": ([[]], DOCUMENTS),
    "ls": ([["-l", "/app"], ["--layer", "2"]], LISTINGS),
    "tree": ([[], ["--layer", "2"]], LISTINGS),
    "find": ([[], ["--removed"]], LISTINGS),
    "check": ([["--fail-on", "none"]], GATES),
}  # fmt: skip
"""Commands that show an image: their ways to be asked, and the forms of the answer."""


def outputs(run_cli: Run, command: str, archive: Path, *more: str) -> Iterator[tuple[str, str]]:
    """What a command writes, on both streams, in each of its forms."""
    ways, forms = COMMANDS[command]
    for way in ways:
        for form in forms:
            named = [word.format(facts=archive.parent / f"{archive.stem}-facts") for word in way]
            done = run_cli(command, archive, *named, *form, *more)
            assert done.exit_code == 0, (way, form, done.stderr)
            yield " ".join((command, *way, *form)), done.stdout + done.stderr


@pytest.fixture(scope="module", params=["docker-archive", "oci-archive"])
def leak(request: pytest.FixtureRequest, forge_archive: Make) -> Path:
    return forge_archive(leaking(), name="leaking.tar", kind=request.param)


def test_the_secrets_are_there(leak: Path) -> None:
    """The rest of this module proves nothing about what the image does not have."""
    assert len(set(SECRETS.values())) == len(SECRETS) >= 25
    with imagepeel.open(leak) as archive:
        image = archive.image()
        held = str(msgspec.to_builtins(image.config)) + str(msgspec.to_builtins(image.record.manifest))
        missing = [what for what, value in {**IN_CONFIG, **IN_HISTORY}.items() if value not in held]
        assert missing in ([], ["the author"])
        for path, kept in FILES.items():
            assert IN_FILES[kept] in (image.rootfs / path).read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_output_shows_a_secret(command: str, leak: Path, run_cli: Run) -> None:
    for asked, told in outputs(run_cli, command, leak):
        assert not [what for what, value in SECRETS.items() if value in told], asked


SHOWN = {
    "explain": ("a password in the command", "curl -u", "an ENV step"),
    "operate": ("a password in the command", "a token in the entrypoint"),
    "process": ("a password in Env", "the password of a URL in Env", "a token in the entrypoint", "script"),
    "layers": ("curl -u", "an ENV step"),
    "du": ("curl -u", "an ENV step"),
    "dockerfile": ("a token in Env", "a label", "a bearer token", "a build argument", "a login", "a web token"),
    "trace": ("curl -u",),
}
"""What commands say of an image in clear when they are asked; of secrets in files nothing is ever quoted."""


@pytest.mark.parametrize("command", SHOWN)
def test_every_form_shows_secrets_on_request(command: str, forge_archive: Make, run_cli: Run) -> None:
    archive = forge_archive(leaking(), name="shown.tar")
    for asked, told in outputs(run_cli, command, archive, "--show-secrets"):
        plain = told.replace("\\", "").replace("&amp;", "&")  # what Markdown and HTML escape
        if "--matrix" not in asked:
            # The answer of `process` has no environment; with --json and --verbose it is there.
            brief = command == "process" and not {"--json", "--verbose", "--receipts"} & set(asked.split())
            shown = [what for what in SHOWN[command] if not (brief and what.endswith("in Env"))]
            assert not [what for what in shown if SECRETS[what] not in plain], asked
        assert not [what for what in ("npmrc", "netrc", "aws", "ssh", "source", "compose") if IN_FILES[what] in plain]


@pytest.mark.parametrize("command", ["wtf", "check", "waste", "images", "views"])
def test_findings_quote_no_secret_even_on_request(command: str, forge_archive: Make, run_cli: Run) -> None:
    archive = forge_archive(leaking(), name="found.tar")
    for asked, told in outputs(run_cli, command, archive, "--show-secrets"):
        assert not [what for what, value in SECRETS.items() if value in told], asked


def test_a_comparison_masks_and_shows(forge_archive: Make, run_cli: Run) -> None:
    one, two = forge_archive(leaking(), name="one.tar"), forge_archive(leaking("2"), name="two.tar")
    for form in DOCUMENTS:
        told = run_cli("diff", one, two, *form)
        assert told.exit_code == 0
        assert not [what for what, value in SECRETS.items() if value in told.stdout + told.stderr], form
        told = run_cli("diff", one, two, *form, "--show-secrets").stdout.replace("\\", "")
        for what in ("a password in Env", "a label by its name", "curl -u"):
            assert SECRETS[what] in told, (form, what)


def test_what_fails_and_what_is_written_masks_too(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    """The engine's error quotes the command, ours what was asked for; extract and bundle say what they did."""
    broken = forge_archive(leaking(entrypoint="/bin/none"), name="broken.tar")
    archive = forge_archive(leaking(), name="whole.tar")
    calls: list[list[Any]] = [["process", broken, *form] for form in DOCUMENTS]
    calls += [["explain", broken, *form] for form in DOCUMENTS]
    calls += [
        ["ls", archive, f"/{ENV_TOKEN}"], ["cat", archive, f"/{ENV_TOKEN}"], ["explain", archive, "--image", ENV_TOKEN],
        ["explain", tmp_path / ENV_TOKEN], ["process", archive, "--engine", ENV_TOKEN],
        ["process", archive, "--user", ENV_TOKEN],
        ["extract", archive, tmp_path / "out"], ["bundle", archive, tmp_path / "bundle", "--json"],
        ["flatten", archive, "-o", tmp_path / "flat.tar", "--json"],
    ]  # fmt: skip
    for words in calls:
        told = run_cli(*words)
        shown = told.stdout + told.stderr
        assert shown and not [what for what, value in SECRETS.items() if value in shown], words
    # What runc starts needs the values themselves.
    assert ENV_TOKEN in (tmp_path / "bundle" / "config.json").read_text()


def test_the_library_masks_and_shows(forge_archive: Make) -> None:
    with imagepeel.open(forge_archive(leaking(), name="held.tar")) as archive:
        image = archive.image()

        def told() -> str:
            values = [archive, image, image.config, image.config.config, image.process(), image.findings(),
                      image.explain(), image.dockerfile(), *image.layers, *image.history]  # fmt: skip
            out = []
            for value in values:
                bundle = value._repr_mimebundle_() if hasattr(value, "_repr_mimebundle_") else {}
                out += [repr(value), str(value), *map(str, bundle.values())]
            return "".join(out)

        assert not [what for what, value in SECRETS.items() if value in told()]
        with imagepeel.show_secrets():
            assert SECRETS["a password in Env"] in told() and SECRETS["curl -u"] in told()


KEY = "q7Rk2Zt9Wm4Xv1Lp8Nc5"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env": ["STRIPE_KEY=" + KEY]}, "the variable STRIPE_KEY has the value"),
        ({"env": ["REDIS_AUTH=hunter2secret"]}, "the variable REDIS_AUTH has the value"),
        ({"labels": {"com.example.db-password": "hunter2secret"}}, "the label com.example.db-password has the value"),
        ({"labels": {"com.example.source": "https://me:hunter2secret@example.org/x"}}, "the label com.example.source"),
        ({"labels": {"com.example.password-file": "/run/secrets/db"}}, ""),
        ({"env": ["CACHE_KEY=v1-linux-amd64"], "labels": {"com.example.sort-key": KEY}}, ""),
    ],
)
def test_a_secret_by_its_name_is_found_in_variables_and_labels(
    settings: dict[str, Any], message: str, forge_archive: Make, run_cli: Run
) -> None:
    """Labels are as public as variables: `docker inspect` and every registry show them."""
    path = forge_archive(
        forge.image(forge.layer(forge.file("a", b"a")), names="s:1", cmd=["/a"], **settings), name="s.tar"
    )
    found = json.loads(run_cli("wtf", "--json", path).stdout)["result"]["findings"]
    told = [(one["severity"], one["message"]) for one in found if one["rule"].startswith("SECRET")]
    assert [severity for severity, _ in told] == (["medium"] if message else [])
    assert all(message in text and "hunter2secret" not in text and KEY not in text for _, text in told)
