"""Secret detectors: they find the real format, mask it, and leave look-alikes alone."""

from __future__ import annotations

import base64

import pytest

from imagepeel.findings.detectors import detect, is_published_example
from imagepeel.masking import is_placeholder, is_secret, mask

KEY = (
    b"-----BEGIN RSA PRIVATE KEY-----\n"
    b"MIIEowIBAAKCAQEAx4UbaDzY5xjW6hc9jwN0mX33XpTDVW7w\n"
    b"-----END RSA PRIVATE KEY-----\n"
)
TOKEN = "0123456789abcdefghijklmnopqrstuvwxyzAB"


def kinds(path: bytes, data: bytes) -> list[str]:
    return [secret.what for secret in detect(path, data)]


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        (b"/srv/server.key", KEY, "RSA private key"),
        (b"/root/.ssh/id_ed25519", KEY.replace(b"RSA", b"OPENSSH"), "OPENSSH private key"),
        (
            b"/root/.aws/credentials",
            b"[default]\naws_access_key_id = AKIAQWERTYUIOPASDFGH\naws_secret_access_key = " + b"aB3/" * 10 + b"\n",
            "AWS secret access key of AKIA... (20 characters)",
        ),
        (
            b"/srv/key.json",
            b'{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\\nMIIE"}',
            "Google service account key",
        ),
        (b"/srv/.env", f"T=ghp_{TOKEN[:36]}".encode(), "GitHub token"),
        (b"/srv/.env", f"T=glpat-{TOKEN[:20]}".encode(), "GitLab token"),
        (b"/srv/.env", b"T=xoxb-123456789012-abcdefghijKLMNOP", "Slack token"),
        (b"/srv/.npmrc", f"//registry.npmjs.org/:_authToken={TOKEN}\n".encode(), "npm registry token"),
        (b"/srv/.env", f"T=npm_{TOKEN[:36]}".encode(), "npm token"),
        (b"/root/.pypirc", f"password = pypi-AgEIcHlwaS5vcmc{TOKEN}{TOKEN}".encode(), "PyPI token"),
        (
            b"/root/.docker/config.json",
            b'{"auths": {"r.example": {"auth": "' + base64.b64encode(b"robot:a-real-password") + b'"}}}',
            "registry password of robot",
        ),
        (b"/root/.netrc", b"machine r.example login me password s3cr3t-word\n", "password for r.example"),
        (
            b"/root/.kube/config",
            b"clusters: []\nusers:\n- name: me\n  user:\n    token: " + TOKEN.encode() + b"\n",
            "Kubernetes token",
        ),
        (b"/root/.git-credentials", b"https://me:hunter22@git.example\n", "password in a git credential store"),
        (b"/srv/.env", b"DB_PASSWORD=correct horse\n", "DB_PASSWORD"),
    ],
)
def test_finds(path: bytes, data: bytes, kind: str) -> None:
    found = detect(path, data)
    assert kind in [secret.what for secret in found]
    for secret in found:
        shown = secret.masked.split("...")[0]
        assert len(shown) <= 4 or secret.masked == "(key)"


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (b"/srv/server.pem", b"-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n"),
        (b"/srv/a.key", b"-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n"),
        (b"/srv/.env", b"DB_PASSWORD=\nAPI_TOKEN=changeme\nSECRET=${VAULT}\nTOKEN_FILE=/run/secrets/token\n"),
        (b"/srv/.env", b"PASSWORD_MIN_LENGTH=12\nTOKENIZERS_PARALLELISM=false\n"),
        (b"/srv/.npmrc", b"//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"),
        (b"/root/.aws/credentials", b"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"),
        (b"/srv/.env", b"T=ghp_" + b"x" * 36),
        (b"/root/.docker/config.json", b'{"auths": {"r.example": {}}, "credsStore": "desktop"}'),
        (b"/root/.netrc", b"machine r.example login me password $PASSWORD\n"),
        (b"/srv/config", b"token: not in a kubeconfig at all, just a word\n"),
    ],
)
def test_leaves_alone(path: bytes, data: bytes) -> None:
    assert kinds(path, data) == []


def test_a_key_with_a_passphrase_is_said_to_be_one() -> None:
    data = KEY.replace(b"KEY-----\n", b"KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1)
    (secret,) = detect(b"/srv/server.key", data)
    assert "passphrase" in secret.what and not secret.proved


@pytest.mark.parametrize(
    ("path", "published"),
    [
        (b"/usr/lib/python3.11/test/keycert.passwd.pem", True),
        (b"/usr/local/lib/python3.12/test/certdata/ssl_key.pem", True),
        (b"/usr/lib/python3/dist-packages/twisted/test/server.pem", True),
        (b"/app/node_modules/agent/test/server.key", True),
        (b"/usr/share/doc/openssl/demos/ca.key", True),
        (b"/root/.pyenv/versions/3.13.0/lib/python3.13/test/certdata/keycert.pem", True),
        (b"/usr/local/go/src/crypto/tls/testdata/example-key.pem", True),
        (b"/etc/ssl/private/ssl-cert-snakeoil.key", True),
        (b"/app/server.key", False),
        (b"/etc/ssl/private/server.key", False),
        (b"/srv/testing/server.key", False),
    ],
)
def test_published_examples(path: bytes, published: bool) -> None:
    assert is_published_example(path) is published


def test_names_and_values() -> None:
    assert is_secret("DB_PASSWORD", "") and is_secret("api_key", "") and is_secret("NPM_TOKEN", "")
    assert not is_secret("PASSWORD_FILE", "") and not is_secret("GPG_KEY", "") and not is_secret("TOKEN_URL", "")
    assert is_placeholder("<your token>") and is_placeholder("$VAR") and is_placeholder("/run/secrets/x")
    assert not is_placeholder("correct horse battery")


@pytest.mark.parametrize("value", ["short", "exactly-twelve", "a" * 500])
def test_mask_shows_four_characters_at_most(value: str) -> None:
    shown = mask(value)
    assert value not in shown
    assert len(shown.split("...")[0]) <= 4


def test_one_token_is_one_secret() -> None:
    """A token that its own format proves and that stands where a .npmrc has its token is not counted twice."""
    line = b"//registry.npmjs.org/:_authToken=npm_abcdefghijklmnopqrstuvwxyz0123456789\n"
    assert kinds(b"/root/.npmrc", line) == ["npm token"]
    other = b"//example.org/:_authToken=" + TOKEN.encode() + b"\n"
    assert kinds(b"/root/.npmrc", line + other) == ["npm token", "npm registry token"]
