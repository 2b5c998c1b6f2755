"""Logins as docker and podman keep them, and their helpers."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from imagepeel.errors import FetchFailed, UsageError
from imagepeel.sources.credentials import Login, login_for


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def write(path: Path, config: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config if isinstance(config, str) else json.dumps(config))


def auth(user: str, secret: str = "s") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


def helper(home: Path, name: str, script: str) -> None:
    program = home / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_there_is_none(home: Path) -> None:
    assert login_for("host.example", "a/b") is None


def test_podman_comes_before_docker_and_a_named_file_before_both(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "docker" / "config.json", {"auths": {"h.example": auth("docker", "a:b")}})
    assert login_for("h.example", "x") == Login("docker", "a:b")
    write(home / "config" / "containers" / "auth.json", {"auths": {"h.example": auth("config")}})
    assert login_for("h.example", "x") == Login("config", "s")
    write(home / "run" / "containers" / "auth.json", {"auths": {"h.example": auth("podman")}})
    assert login_for("h.example", "x") == Login("podman", "s")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "own.json"))
    assert login_for("h.example", "x") is None
    write(home / "own.json", {"auths": {"h.example": auth("own")}})
    assert login_for("h.example", "x") == Login("own", "s")


def test_the_most_special_key_counts(home: Path) -> None:
    keys = {"h.example": auth("all"), "h.example/team": auth("team"), "h.example/team/shop": auth("shop")}
    write(home / "run" / "containers" / "auth.json", {"auths": keys})
    asked = ["team/shop", "team/other/deep", "teamwork", "x"]
    found = [login_for("h.example", repository) for repository in asked]
    assert [login.user if login else "" for login in found] == ["shop", "team", "all", "all"]


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io"])
def test_docker_hub_has_its_own_keys(key: str, home: Path) -> None:
    write(home / "docker" / "config.json", {"auths": {key: auth("hub")}})
    assert login_for("docker.io", "library/nginx") == Login("hub", "s")
    assert login_for("other.example", "library/nginx") is None


@pytest.mark.parametrize("key", ["https://h.example", "http://h.example/", "https://h.example/v2/"])
def test_old_keys_have_an_address(key: str, home: Path) -> None:
    write(home / "docker" / "config.json", {"auths": {key: auth("old")}})
    assert login_for("h.example", "x") == Login("old", "s")
    assert login_for("h.example.evil", "x") is None


def test_a_token_and_a_plain_pair(home: Path) -> None:
    entries = {"a.example": {"identitytoken": "t", **auth("u")}, "b.example": {"username": "u", "password": "p"}}
    write(home / "docker" / "config.json", {"auths": entries})
    assert login_for("a.example") == Login("", "t") and login_for("b.example") == Login("u", "p")


def test_a_store_is_asked_for_hosts_without_an_entry(home: Path) -> None:
    helper(home, "vault", f'cat > {home}/asked; echo \'{{"Username":"v","Secret":"s"}}\'')
    write(home / "docker" / "config.json", {"auths": {"h.example": {}}, "credsStore": "vault"})
    assert login_for("h.example", "a") == Login("v", "s") and (home / "asked").read_text() == "h.example"
    assert login_for("docker.io", "a") is not None and (home / "asked").read_text() == "https://index.docker.io/v1/"


def test_a_helper_gives_a_token(home: Path) -> None:
    helper(home, "vault", 'echo \'{"Username":"<token>","Secret":"t"}\'')
    write(home / "docker" / "config.json", {"credHelpers": {"h.example": "vault"}})
    assert login_for("h.example") == Login("", "t")


def test_a_helper_that_knows_nothing_is_no_error(home: Path) -> None:
    helper(home, "vault", "echo credentials not found in native keychain; exit 1")
    write(home / "docker" / "config.json", {"credsStore": "vault"})
    assert login_for("h.example") is None


@pytest.mark.parametrize(("script", "said"), [("exit 3", "exit code 3"), ("echo no json", "does not speak")])
def test_a_helper_that_fails_is_named(script: str, said: str, home: Path) -> None:
    helper(home, "vault", script)
    write(home / "docker" / "config.json", {"credsStore": "vault"})
    with pytest.raises(FetchFailed, match=said) as caught:
        login_for("h.example")
    assert "docker-credential-vault" in caught.value.what


def test_a_helper_that_is_not_there(home: Path) -> None:
    write(home / "docker" / "config.json", {"credsStore": "absent-here"})
    with pytest.raises(FetchFailed, match="no program docker-credential-absent-here"):
        login_for("h.example")


@pytest.mark.parametrize("name", ["../x", "a/b", "x y", "-x", "x;y", "a" * 100])
def test_a_helper_is_a_name_and_no_path(name: str, home: Path) -> None:
    write(home / "docker" / "config.json", {"credsStore": name})
    with pytest.raises(UsageError, match="no name of a credential helper"):
        login_for("h.example")


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", '{"auths": {"h.example": {"auth": "%%%"}}}', '{"auths": {"h.example": {"auth": "YQ=="}}}'],
)
def test_a_file_that_is_damaged_is_named_and_not_shown(text: str, home: Path) -> None:
    write(home / "docker" / "config.json", text)
    with pytest.raises(UsageError, match="holds no login") as caught:
        login_for("h.example")
    assert str(home / "docker" / "config.json") in caught.value.what and "%%%" not in str(caught.value)


@pytest.mark.parametrize(
    "config", [{}, {"auths": []}, {"auths": {"h.example": 5}}, {"credHelpers": 5, "credsStore": 5}]
)
def test_other_shapes_hold_no_login(config: Any, home: Path) -> None:
    write(home / "docker" / "config.json", config)
    assert login_for("h.example", "a") is None


def test_a_secret_is_not_shown() -> None:
    assert "hidden" not in repr(Login("ada", "hidden"))
