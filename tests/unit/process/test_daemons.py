"""Programs that go into the background and end: which words and settings keep them in front, from their manuals."""

from __future__ import annotations

import pytest
from fake_rootfs import FakeRootfs

from imagepeel import forge
from imagepeel.forge import Entry, programs
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import PidOne, Prediction

F = forge.file


def first(*argv: str, files: tuple[Entry, ...] = ()) -> PidOne:
    """Process 1 of a command whose program is a stub of that name."""
    usual = (F("etc/supervisord.conf", "[supervisord]\n"), F("etc/s.conf", "[supervisord]\n"))
    entries = [F(f"bin/{argv[0]}", programs.report(), 0o755), *(files or usual)]
    found = predict(
        FakeRootfs(tuple(entries)),
        ProcessSpec(entrypoint=argv, architecture="amd64"),
        ProcessOptions(engine="docker@28"),
    )
    assert found.verdict.kind == "RUNS"
    assert found.pid1 is not None
    assert (found.pid1.why in found.notes) is found.pid1.ends_at_once
    return found.pid1


@pytest.mark.parametrize(
    "line",
    [
        "nginx",
        "nginx -c /etc/other.conf",
        "nginx -g pid/run/x;",
        "apache2 -k start",
        "httpd",
        "sshd -e",
        "cron",
        "crond -L /log",
        "supervisord -c /etc/s.conf",
        "php-fpm8.2",
        "rsyslogd",
        "redis-server --daemonize yes",
        "haproxy -D -f /h.cfg",
        "mysqld --daemonize",
        "memcached -d -m 64",
        "dnsmasq",
        "lighttpd -f /l.conf",
        "service start",
        "pg_ctl start",
    ],
)
def test_what_goes_into_the_background_ends_at_once(line: str) -> None:
    one = first(*line.split())
    assert one.ends_at_once
    assert "ends at once with 0" in one.why and line.split()[0] in one.why
    assert one.hears_sigterm == "unknown" and one.stop is None
    assert one.fix


@pytest.mark.parametrize(
    "argv",
    [
        ("nginx", "-g", "daemon off;"),
        ("nginx", "-g", "pid /run/x; daemon off;"),
        ("nginx", "-t"),
        ("apache2", "-D", "FOREGROUND"),
        ("httpd", "-DFOREGROUND"),
        ("sshd", "-D"),
        ("sshd", "-eD"),
        ("cron", "-f"),
        ("crond", "-f", "-d", "8"),
        ("supervisord", "-n"),
        ("php-fpm", "-F"),
        ("php-fpm", "--nodaemonize"),
        ("rsyslogd", "-n"),
        ("redis-server",),
        ("redis-server", "--daemonize", "no"),
        ("haproxy", "-W", "-f", "/h.cfg"),
        ("mysqld",),
        ("memcached",),
        ("dnsmasq", "-k"),
        ("lighttpd", "-D", "-f", "/l.conf"),
        ("pg_ctl", "status"),
        ("gunicorn", "app:app"),
    ],
)
def test_what_is_told_to_stay_stays(argv: tuple[str, ...]) -> None:
    assert not first(*argv).ends_at_once


@pytest.mark.parametrize(
    ("line", "path", "stays", "leaves"),
    [
        ("nginx", "etc/nginx/nginx.conf", "user www;\ndaemon off;\n", "user www;\n# daemon off;\n"),
        ("nginx -c /x.conf", "x.conf", "daemon  off ;", "daemon on;"),
        (
            "supervisord",
            "etc/supervisor/supervisord.conf",
            "[supervisord]\nnodaemon = true\n",
            "[supervisord]\nnodaemon=false",
        ),
        (
            "php-fpm",
            "usr/local/etc/php-fpm.d/zz-docker.conf",
            "[global]\ndaemonize = no\n",
            "[global]\n;daemonize = no\n",
        ),
        ("redis-server /r.conf", "r.conf", "daemonize no\n", "daemonize yes\n"),
        ("haproxy -f /h.cfg", "h.cfg", "global\n  # daemon\n", "global\n  daemon\n"),
    ],
)
def test_a_setting_decides(line: str, path: str, stays: str, leaves: str) -> None:
    assert not first(*line.split(), files=(F(path, stays),)).ends_at_once
    assert first(*line.split(), files=(F(path, leaves),)).ends_at_once


def test_who_waits_for_it_ends_with_it() -> None:
    tree = (F("bin/tini", programs.report(), 0o755), F("bin/nginx", programs.report(), 0o755))
    wanted = ProcessSpec(entrypoint=("tini", "--", "nginx"), architecture="amd64")
    one = predict(FakeRootfs(tree), wanted, ProcessOptions(engine="docker@28")).pid1
    assert one is not None and one.argv[0] == "tini"
    assert one.ends_at_once and "tini, which waits for it, ends too" in one.why


SUPERVISED = "[supervisord]\n[program:a]\ncommand=/bin/a\n"


def supervised(body: str | None, *words: str, included: str = "", **config: object) -> Prediction:
    files = [F("bin/supervisord", programs.report(), 0o755), F("etc/passwd", "root:x:0:0::/:\napp:x:7:7::/:\n")]
    files += [] if body is None else [F("etc/supervisord.conf", body)]
    files += [F("etc/s.d/a.conf", included)] if included else []
    wanted = ProcessSpec(entrypoint=("supervisord", *words), architecture="amd64", **config)  # type: ignore[arg-type]
    return predict(FakeRootfs(tuple(files)), wanted, ProcessOptions(engine="docker@28"))


@pytest.mark.parametrize(
    ("body", "words", "why"),
    [
        (None, (), "supervisord finds no configuration"),
        (SUPERVISED, ("-n", "-c", "/nope.conf"), "/nope.conf, which supervisord is told to read, does not exist"),
        ("[program:a]\ncommand=/bin/a\n", (), "no section [supervisord]"),
        ("[supervisord]\n[program:a]\nautostart=true\n", (), "[program:a] of supervisord has no command"),
        (f"{SUPERVISED}directory=%(ENV_NOPE)s\n", (), "needs the variable NOPE, which is not set"),
        (f"{SUPERVISED}user=ghost\n", (), "names the user ghost, whom the image does not have"),
    ],
)
def test_supervisord_gives_up_over_its_configuration(body: str | None, words: tuple[str, ...], why: str) -> None:
    """Seen with supervisor 4.2.5: each ends it with 2."""
    found = supervised(body, *words)
    said = found.verdict.reason
    assert found.verdict.kind == "UNKNOWN" and why in said and "it ends with 2" in said


def test_supervisord_as_another_user() -> None:
    body = "[supervisord]\nuser=root\n"
    assert supervised(body, user="app").verdict.kind == "UNKNOWN"
    assert supervised(body).verdict.kind == "RUNS"
    assert supervised("[supervisord]\nuser=app\n", user="app").verdict.kind == "RUNS"


def test_supervisord_runs_on_without_its_programs_and_reads_what_it_includes() -> None:
    body = f"{SUPERVISED}; directory=%(ENV_NOPE)s\nenvironment=A=%(ENV_B)s\n[include]\nfiles = s.d/*.conf\n"
    away = supervised(body, env=("B=1",))
    assert away.verdict.kind == "RUNS" and away.pid1 is not None and away.pid1.ends_at_once
    stays = supervised(body, env=("B=1",), included="[supervisord]\nnodaemon=true ; in front\n")
    assert stays.verdict.kind == "RUNS" and stays.pid1 is not None and not stays.pid1.ends_at_once
    wrong = supervised(body, env=("B=1",), included="[program:b]\nautorestart=true\n")
    assert wrong.verdict.kind == "UNKNOWN"
