"""Logins for registries, from where docker, podman, buildah and skopeo keep them.

A helper (`credHelpers`, `credsStore`) is a program of this machine that the user's own file names; no source starts
another one.  It gets the host on standard input, and nothing of an image.
"""

from __future__ import annotations

import base64
import binascii
import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import FetchFailed, UsageError
from imagepeel.serialization import from_json

_MOST = 1 << 20
"""Bytes of such a file, and of what a helper says."""
_PATIENCE = 30.0
"""Seconds for a helper: some ask a password store, which asks the user."""
_HELPER = late(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")


class Login(msgspec.Struct, frozen=True):
    """A user and a secret; or, where `user` is "", a token that buys others."""

    user: str
    secret: str

    def __repr__(self) -> str:
        return f"Login({self.user!r})"


def login_for(host: str, repository: str = "") -> Login | None:
    """Return the login for a registry, None where there is none.

    Asked are, in this order, `$REGISTRY_AUTH_FILE` alone if it is set, else containers/auth.json below
    `$XDG_RUNTIME_DIR` and below `$XDG_CONFIG_HOME`, then config.json in `$DOCKER_CONFIG` or ~/.docker.  In each, the
    longest start of `host/repository` comes first, then helpers, as podman has it.
    UsageError for a file that is none of these, FetchFailed for a helper that fails.
    Source: containers-auth.json(5); docker cli, configfile and docker-credential-helpers.
    """
    for path in _files():
        config = _read(path)
        if config is not None and (found := _in(config, path, host, repository)) is not None:
            return found
    return None


def _files() -> Iterator[str]:
    environ, home = os.environ, os.path.expanduser("~")
    if environ.get("REGISTRY_AUTH_FILE"):
        yield environ["REGISTRY_AUTH_FILE"]
        return
    if environ.get("XDG_RUNTIME_DIR"):
        yield os.path.join(environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
    yield os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "containers", "auth.json")
    yield os.path.join(environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json")


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST + 1)
    except OSError:
        return None
    try:
        if len(data) > _MOST:
            raise ValueError
        return from_json(data, dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise UsageError(f"{path} holds no logins", hint="it should be JSON as docker login writes it") from None


def _in(config: Mapping[str, Any], path: str, host: str, repository: str) -> Login | None:
    helpers, auths = config.get("credHelpers"), config.get("auths")
    keys = list(_keys(host, repository))
    if isinstance(helpers, dict):
        for key in keys:
            if isinstance(helpers.get(key), str):
                return _ask(helpers[key], key)
    for key in keys:
        entry = auths.get(key) if isinstance(auths, dict) else None
        if isinstance(entry, dict) and (found := _entry(entry, path, key)) is not None:
            return found
    store = config.get("credsStore")
    if isinstance(store, str) and store:
        return _ask(store, _HUB_KEYS[0] if host == "docker.io" else host)
    return None


def _keys(host: str, repository: str) -> Iterator[str]:
    """Yield the keys of a registry, the most special first."""
    path = f"{host}/{repository}" if repository else host
    while "/" in path:
        yield path
        path = path.rpartition("/")[0]
    if host == "docker.io":
        yield from _HUB_KEYS
        return
    yield host
    for scheme in ("https://", "http://"):
        yield from (scheme + host, f"{scheme}{host}/", f"{scheme}{host}/v1/", f"{scheme}{host}/v2/")


def _entry(entry: Mapping[str, Any], path: str, key: str) -> Login | None:
    token, pair = entry.get("identitytoken"), entry.get("auth")
    if isinstance(token, str) and token:
        return Login("", token)
    if isinstance(pair, str) and pair:
        try:
            user, colon, secret = base64.b64decode(pair, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if not colon:
            raise UsageError(f"{path} holds no login for {key}", hint="log in again")
        return Login(user, secret.rstrip("\0"))
    name, password = entry.get("username"), entry.get("password")
    if isinstance(name, str) and isinstance(password, str) and name:
        return Login(name, password)
    return None


def _ask(helper: str, key: str) -> Login | None:
    """Ask a credential helper; None when it knows nothing of a registry."""
    if not _HELPER.fullmatch(helper):
        raise UsageError(f"{helper!r} is no name of a credential helper", hint="see credHelpers in the file of logins")
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, "get"], input=key.encode(), capture_output=True, timeout=_PATIENCE, check=False)
    except FileNotFoundError:
        raise FetchFailed(f"there is no program {program}", hint="install it, or log in without it") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchFailed(f"{program} does not answer: {type(error).__name__}") from None
    if done.returncode:
        if b"credentials not found" in done.stdout or b"credentials not found" in done.stderr:
            return None
        raise FetchFailed(f"{program} failed with exit code {done.returncode}", hint=f"try: {program} list")
    try:
        said = from_json(done.stdout[:_MOST], dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise FetchFailed(f"{program} does not speak the protocol of credential helpers") from None
    user, secret = said.get("Username"), said.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        return None
    return Login("" if user == "<token>" else user, secret)
