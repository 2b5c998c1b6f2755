"""Compose files and quadlets: what their fields mean by the published references, and what is refused where."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from imagepeel.deploy.compose import read_compose
from imagepeel.deploy.quadlet import KEYS, read_quadlet
from imagepeel.deploy.wanted import Deployment, Wanted
from imagepeel.errors import ImagepeelError, LimitExceeded, Malformed, Unsupported


def compose(text: str, variables: Mapping[str, str] | None = None) -> Deployment:
    return read_compose(text, "compose.yaml", "docker@20.10", variables)


def service(fields: str, **variables: str) -> Wanted:
    return compose(f"services:\n  web:\n    image: shop:1\n{fields}", variables).starts[0]


@pytest.mark.parametrize(
    ("fields", "entrypoint", "args"),
    [
        ("", None, None),
        ("    command: serve --port 80\n", None, ("serve", "--port", "80")),
        ("    command: [serve, '80 90']\n", None, ("serve", "80 90")),
        ("    command: sh -c 'echo \"a b\"'\n", None, ("sh", "-c", 'echo "a b"')),
        ("    command: echo $$HOME\n", None, ("echo", "$HOME")),
        ("    command: []\n", None, ()),
        ("    command: null\n", None, None),
        ("    entrypoint: /x -y\n", ("/x", "-y"), None),
        ("    entrypoint: ['/x', a b]\n", ("/x", "a b"), None),
        ("    entrypoint: ''\n", ("",), None),
        ("    entrypoint: []\n", ("",), None),
    ],
)
def test_command_and_entrypoint(fields: str, entrypoint: object, args: object) -> None:
    options = service(fields).options
    assert (options.entrypoint, options.args) == (entrypoint, args)


def test_fields_of_a_service() -> None:
    options = service(
        "    user: '1000:${GID:-5}'\n    working_dir: /w\n    read_only: true\n    init: true\n    cap_drop: [ALL]\n"
        "    cap_add: [NET_ADMIN]\n    security_opt: [no-new-privileges:true]\n    group_add: ['7']\n    tmpfs: /run\n"
        "    environment: {A: 1, B: '${B}', C: null}\n    stop_signal: SIGINT\n    hostname: h\n"
        "    volumes: [data:/d, {type: tmpfs, target: /t, tmpfs: {mode: 0o700}}, {type: bind, source: ., "
        "target: /b}]\n",
        B="two", C="three",
    ).options  # fmt: skip
    assert (options.user, options.workdir, options.read_only, options.init) == ("1000:5", "/w", True, True)
    assert (options.cap_add, options.cap_drop, options.no_new_privileges) == (("NET_ADMIN",), ("ALL",), True)
    assert (options.groups, options.env) == ((7,), ("A=1", "B=two", "C=three"))
    assert (options.volumes, options.elsewhere) == (("data:/d",), ("/b=the directory . of the host",))
    assert options.tmpfs[-1] == "/run"
    assert (options.stop_signal, options.hostname) == ("SIGINT", "h")


def test_what_is_not_in_the_file_is_named() -> None:
    start = service(
        "    env_file: [{path: a.env}, {path: b.env, required: false}]\n    environment: [X, Y=1]\n"
        "    secrets: [s]\n    configs: [{source: c, target: /c}]\n"
    )
    assert start.needs == ("the file a.env of env_file",)
    assert "the variable X of compose's own environment" in start.unknown_env
    assert start.options.elsewhere == ("/c=the config c", "/run/secrets/s=the secret s")
    assert compose("services: {web: {image: '$NAME'}}", {"NAME": "x"}).starts[0].image == "x"
    assert "NAME is not given" in compose("services: {web: {image: 'x$NAME'}}").notes[0]


def test_health_checks() -> None:
    def checks(healthcheck: str) -> list[tuple[object, bool]]:
        found = compose(f"services: {{web: {{image: x{healthcheck}}}}}").starts[1:]
        return [(one.options.entrypoint, one.of_image) for one in found]

    assert checks("") == [(None, True)]
    assert checks(", healthcheck: {test: [CMD, a, b]}") == [(("a", "b"), False)]
    assert checks(", healthcheck: {test: [CMD-SHELL, a b]}") == [(("/bin/sh", "-c", "a b"), False)]
    assert checks(", healthcheck: {test: a b}") == [(("/bin/sh", "-c", "a b"), False)]
    assert checks(", healthcheck: {test: [NONE]}") == checks(", healthcheck: {disable: true}") == []


def test_anchors_and_fragments() -> None:
    found = compose("x-b: &b {image: x, user: '5'}\nservices:\n  a: {<<: *b}\n  c: {<<: *b, user: '6'}\n").starts
    assert [(one.container, one.options.user) for one in found if one.role == "container"] == [("a", "5"), ("c", "6")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", "no services"),
        ("services: {}", "no services"),
        ("services: {web: {command: x}}", 'line 1, column 17 at /services/web: service "web" has neither an image'),
        ("services: {web: {image: x, command: 'a \"b'}}", "cannot be split"),
        ("services: {web: {image: x, volumes: ['::']}}", "no volume"),
        ("services: {web: {image: x, healthcheck: {test: [curl]}}}", "begins with NONE, CMD or CMD-SHELL"),
        ("services: {web: {image: '${A'}}", "invalid interpolation format"),
        ("services: [web]", "services is a list, not a mapping"),
        ("services: {web: {image: x, volumes: [{type: tmpfs}]}}", "names no target"),
    ],
)
def test_a_file_that_compose_would_not_take(text: str, message: str) -> None:
    with pytest.raises(ImagepeelError) as caught:
        compose(text)
    assert message in str(caught.value)


def test_what_compose_refuses_before_it_starts() -> None:
    found = compose("services:\n  web: {image: x, depends_on: [db], volumes: ['d:/d']}\n").refusals
    assert [one.text for one in found] == [
        'service "web" depends on undefined service "db": invalid compose project',
        'service "web" refers to undefined volume d: invalid compose project',
    ]


def quadlet(text: str) -> Deployment:
    return read_quadlet(text.encode(), "app.container", "podman@6.1")


def test_a_quadlet() -> None:
    found = quadlet(
        "[Unit]\nDescription=x\n# remark\n[Container]\nImage=shop:1\nExec=serve \\\n  --port '80 90'\nUser=1000\n"
        "Group=5\n"
        "ReadOnly=true\nReadOnlyTmpfs=false\nDropCapability=ALL\nAddCapability=NET_ADMIN CHOWN\nNoNewPrivileges=yes\n"
        'Environment="A=1 2" B=3\nVolume=d.volume:/d\nVolume=/h:/h\nTmpfs=/t\nHealthCmd=true\nEntrypoint=["/x","y"]\n'
    )
    start, check = found.starts
    options = start.options
    assert (start.container, start.image, start.place.line) == ("app", "shop:1", 5)
    assert (options.entrypoint, options.args) == (("/x", "y"), ("serve", "--port", "80 90"))
    assert (options.user, options.read_only, options.no_new_privileges) == ("1000:5", True, True)
    assert (options.cap_add, options.cap_drop) == (("NET_ADMIN", "CHOWN"), ("ALL",))
    assert (options.env, options.tmpfs) == (("A=1 2", "B=3"), ("/t",))
    assert (options.volumes, options.elsewhere) == (("d:/d",), ("/h=the directory /h of the host",))
    assert (check.options.entrypoint, check.place.line) == (("/bin/sh", "-c", "true"), 19)


def test_an_empty_value_forgets_those_before() -> None:
    """systemd.syntax(7): assigning the empty string resets a list."""
    found = quadlet("[Container]\nImage=x\nDropCapability=ALL\nDropCapability=\nDropCapability=KILL\n").starts[0]
    assert found.options.cap_drop == ("KILL",)


@pytest.mark.parametrize(
    ("text", "message", "error"),
    [
        (
            "[Container]\nImage=x\nImmage=y\n",
            "line 3, column 1 at Container/Immage: unsupported key 'Immage'",
            Malformed,
        ),
        ("[Container]\nExec=x\n", "no Image", Malformed),
        ("[Container\nImage=x\n", "line 1, column 1: the name of a section has no ]", Malformed),
        ("Image=x\n", "line 1, column 1: this is neither", Malformed),
        ("[Container]\nImage=x\nnonsense\n", "line 3, column 1", Malformed),
        ("[Container]\nImage=x\nExec='a\n", "cannot be split", Malformed),
        ("[Container]\nImage=x\nEntrypoint=[1\n", "no JSON list", Malformed),
        ("[Service]\nRestart=no\n", "no [Container] section", Unsupported),
        ("[Container]\n" + "#\n" * 20_000, "lines", LimitExceeded),
    ],
)
def test_a_quadlet_that_cannot_be_read(text: str, message: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        quadlet(text)
    assert message in str(caught.value)


def test_the_keys_are_known() -> None:
    assert {"Exec", "Image", "User", "Volume", "HealthCmd", "ReadOnlyTmpfs"} <= KEYS
