"""Words of a deployment: $(NAME) of Kubernetes, ${NAME} of compose, and flags of docker run."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from imagepeel.deploy.docker_flags import SHORT, TAKES_NONE, TAKES_ONE
from imagepeel.deploy.docker_run import read_docker_run
from imagepeel.deploy.expansion import expand
from imagepeel.deploy.interpolation import Interpolation
from imagepeel.deploy.place import Place
from imagepeel.errors import LimitExceeded, Malformed, UsageError


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        # kubernetes.io, "Define Dependent Environment Variables" and the reference of Container.command
        ("$(A)", "x"), ("$$(A)", "$(A)"), ("$(NO)", "$(NO)"), ("$(A)-$(B)", "x-y"), ("$$$(A)", "$x"),
        ("$(A", "$(A"), ("$", "$"), ("$A", "$A"), ("a$", "a$"), ("$()", "$()"), ("$$", "$"), ("", ""),
    ],
)  # fmt: skip
def test_kubernetes_replaces_names_in_parentheses(text: str, expanded: str) -> None:
    assert expand(text, {"A": "x", "B": "y"}) == expanded


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        # docs.docker.com, "Interpolation": the table of the reference
        ("$SET", "v"), ("${SET}", "v"), ("${EMPTY:-d}", "d"), ("${EMPTY-d}", ""), ("${NO-d}", "d"), ("${NO:-d}", "d"),
        ("${SET:-d}", "v"), ("${SET:+r}", "r"), ("${EMPTY:+r}", ""), ("${EMPTY+r}", "r"), ("${NO+r}", ""),
        ("${NO:-${SET}}", "v"), ("${NO:-$SET-x}", "v-x"), ("$$SET", "$SET"), ("a${SET}b", "avb"), ("${SET:?no}", "v"),
        ("${NO:-${ALSO:-deep}}", "deep"), ("${EMPTY?no}", ""),
    ],
)  # fmt: skip
def test_compose_fills_in_variables(text: str, filled: str) -> None:
    assert Interpolation({"SET": "v", "EMPTY": ""}).fill(text, Place()) == filled


def test_a_variable_that_nobody_gives_is_empty_and_named() -> None:
    names = Interpolation({})
    assert names.fill("a$X", Place()) == "a"
    assert list(names.missing) == ["X"]


@pytest.mark.parametrize(
    "text", ["${", "${A", "$1", "$ ", "${-x}", "${A!x}", "${NO:?gone}", "${EMPTY:?gone}", "${NO?}"]
)
def test_what_compose_refuses(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        Interpolation({"EMPTY": ""}).fill(text, Place(file="c.yaml", line=3, column=4))
    assert "c.yaml: line 3, column 4" in str(caught.value)


def test_nested_variables_are_bounded() -> None:
    with pytest.raises(LimitExceeded):
        Interpolation({}).fill("${A:-" * 200 + "}" * 200, Place())


def test_the_flags_are_those_of_docker() -> None:
    """Each flag that the real command has is known, with its letter and whether it takes a value."""
    docker = "/usr/bin/docker" if shutil.which("/usr/bin/docker") else ""
    if not docker:
        pytest.skip("docker is not installed")
    words = subprocess.run([docker, "run", "--help"], capture_output=True, text=True, timeout=60).stdout
    found = re.findall(r"(?m)^\s+(?:-(\w), )?--([\w-]+)( [\w-]+)? ", words)
    assert len(found) > 80
    for letter, name, value in found:
        assert name in (TAKES_ONE if value.strip() else TAKES_NONE), name
        assert not letter or SHORT[letter] == name


def words(*given: str) -> tuple[str, ...]:
    return ("docker", "run", *given)


def test_flags_are_read_as_pflag_reads_them() -> None:
    line = words("-itu1000", "--env=A=1", "-eB=2", "-w", "/x", "--read-only=true", "--rm", "--", "img", "-u", "y")
    (start, *_) = read_docker_run(line, "docker").starts
    options = start.options
    assert (start.image, options.args, options.user, options.workdir) == ("img", ("-u", "y"), "1000", "/x")
    assert (options.env, options.tty, options.read_only) == (("A=1", "B=2"), True, True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (words("--nope", "img"), "no flag --nope (word 3)"),
        (words("-X", "img"), "no flag -X"),
        (words("-u"), "--user (word 3) needs a value"),
        (words("--read-only=maybe", "img"), "--read-only is true or false"),
        (words(), "names no image"),
        (words("-d"), "names no image"),
        (("docker", "ps"), "docker ps starts no container"),
        (words("--mount", "type=tmpfs", "img"), "names no target"),
        (words("--mount", "type=odd,target=/x", "img"), "'odd'"),
        (words("-v", "::", "img"), "no volume"),
        (words("--tmpfs", "x", "img"), "no mount"),
    ],
)
def test_a_line_that_docker_would_not_take(line: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        found = read_docker_run(line, "docker")
        # Mounts are read when the start is settled.
        from imagepeel.process.scenario import settle

        settle(None, found.starts[0].options)
    assert message in str(caught.value)


def test_a_directory_of_the_host_and_the_client_are_conditions() -> None:
    (start, *_) = read_docker_run(
        words("-v", "/h:/srv:ro", "-e", "HOMEPAGE", "--env-file", "f", "img"), "docker"
    ).starts
    assert start.options.elsewhere == ("/srv=the directory /h of the host",)
    assert start.unknown_env == ("the file f of --env-file", "the variable HOMEPAGE of the client")
    assert [(one.path, one.kind, one.read_only) for one in start.mounts] == [("/srv", "host directory", True)]
