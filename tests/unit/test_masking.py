"""The one masking: what is taken for a secret in a text, what is left alone, and that work stays bounded."""

from __future__ import annotations

import pytest

from effort import steps
from imagepeel.masking import is_secret_name, masked, masked_value, masked_words, secrets_in, show_secrets

TOKEN = "0123456789abcdefghijklmnopqrstuvwxyzAB"


@pytest.mark.parametrize(
    ("words", "secret"),
    [
        (f"RUN git clone https://ghp_{TOKEN[:36]}@github.com/a/b", f"ghp_{TOKEN[:36]}"),
        ("curl -u admin:Sup3rS3cretPw99 https://example.org/x.deb", "Sup3rS3cretPw99"),
        ("curl -fsSL --user 'admin:Sup3rS3cretPw99' https://example.org", "Sup3rS3cretPw99"),
        ("curl -uadmin:Sup3rS3cretPw99 https://example.org", "Sup3rS3cretPw99"),
        (f"curl -H 'Authorization: Bearer {TOKEN}' https://example.org", TOKEN),
        (f'wget --header="PRIVATE-TOKEN: {TOKEN}" https://example.org', TOKEN),
        (f'curl -H "Authorization: Basic {"YWRtaW46aHVudGVyMg"}=="', "YWRtaW46aHVudGVyMg=="),
        ("pip install --index-url https://me:Hunter2222@pypi.example.org/simple x", "Hunter2222"),
        ("DATABASE_URL=postgres://app:Hunter2222@db:5432/app", "Hunter2222"),
        ("|1 API_TOKEN=abcdef12345 /bin/sh -c make", "abcdef12345"),
        ("/bin/sh -c #(nop)  ENV DB_PASSWORD=hunter2secret", "hunter2secret"),
        ("ENV DB_PASSWORD hunter2secret", "hunter2secret"),
        ('export SECRET_KEY_BASE="a b c d e f"', "a b c d e f"),
        ("app --token s3cretvalue --port 80", "s3cretvalue"),
        ('["app", "--api-key", "s3cretvalue"]', "s3cretvalue"),
        ("sshpass -p hunter2secret ssh host", "hunter2secret"),
        ("docker login -u me -p hunter2secret registry.example.org", "hunter2secret"),
        (f"npm config set //registry.npmjs.org/:_authToken={TOKEN}", TOKEN),
        ('{"auths": {"r.example": {"auth": "cm9ib3Q6YS1yZWFsLXBhc3M="}}}', "cm9ib3Q6YS1yZWFsLXBhc3M="),
        (f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{TOKEN}\n-----END RSA PRIVATE KEY-----", TOKEN),
        (f"STRIPE = 'sk_live_{TOKEN[:24]}'", f"sk_live_{TOKEN[:24]}"),
        (f"key: AIza{TOKEN[:35]}", f"AIza{TOKEN[:35]}"),
    ],
)
def test_masks(words: str, secret: str) -> None:
    shown = masked(words)
    assert secret not in shown
    assert f"... ({len(secret)} characters)" in shown.replace("\n", "") or "PRIVATE KEY" in words
    assert masked(shown) == shown
    with show_secrets():
        assert masked(words) == words
    assert masked(words) == shown


@pytest.mark.parametrize(
    "words",
    [
        "mount it at run time (--mount type=secret while building); then replace the secret",
        "RUN --mount=type=secret,id=npm /bin/sh -c npm ci # buildkit",
        "docker build --secret id=token,src=token.txt .",
        "DB_PASSWORD=$DB_PASSWORD DB_PASSWORD_FILE=/run/secrets/db",
        "API_TOKEN=changeme",
        "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
        "curl -u $USER:$PASS https://example.org",
        "chown -R 1000:1000 /srv && install -u 1000:1000",
        "git@github.com:owner/repository.git",
        "sha256:2eddd77f5684cb4d0d8a3ee9f4d0f0e0e7d3a54d1f5ad1e8e1cf0d9ae8aa1234",
        "the token: a word that people use; password: none",
        "login as root; the password is asked for",
    ],
)
def test_leaves_alone(words: str) -> None:
    assert masked(words) == words


def test_a_word_is_masked_by_the_words_beside_it() -> None:
    assert masked_words(["curl", "-u", "me:hunter2secret", "x"]) == ["curl", "-u", "me:hunt... (13 characters)", "x"]
    assert masked_words(["app", "--password", "hunter2"]) == ["app", "--password", "... (7 characters)"]
    assert masked_words(["sh", "-c", "echo hello"]) == ["sh", "-c", "echo hello"]


def test_a_value_is_masked_by_its_name() -> None:
    assert masked_value("DB_PASSWORD", "hunter2") == "... (7 characters)"
    assert masked_value("PORT", "80") == "80"
    assert masked_value("DB_PASSWORD", "... (7 characters)") == "... (7 characters)"


@pytest.mark.parametrize("name", ["DB_PASSWORD", "API_KEY", "SECRET_KEY_BASE", "PGPASSWORD", "db.pass", "NPM_TOKEN_2"])
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["PWD", "OLDPWD", "TOKEN_FILE", "PASSWORD_HASH_ROUNDS", "KEYBOARD", "GPG_KEY", "BYPASS"]
)
def test_names_of_none(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "piece", ["curl ", "TOKEN= ", "http://", "--secret-", "eyJ.", "a.b-", "-----BEGIN PRIVATE KEY-----"]
)
def test_the_work_on_hostile_texts_is_bounded(piece: str) -> None:
    assert steps(secrets_in, piece * 1_000, limit=30_000) > 0
