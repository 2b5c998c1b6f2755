"""The bad and the good image of each rule of the family `intent`."""

from __future__ import annotations

from functools import partial

from imagepeel.findings.example import Example, specimen
from imagepeel.forge import programs
from imagepeel.forge.entry import (
    directory,
    file,
)
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.specimens import (
    BASE_STEP,
    add,
    script,
    shell_form,
    sound,
    step,
)


def _inherited(cmd_last: bool) -> ImageSpec:
    tool = add(file("bin/tool", programs.hello("tool\n"), 0o755), by="COPY tool /bin/ # buildkit")
    entry, cmd = step('ENTRYPOINT ["/bin/hello"]', True), step('CMD ["--loud"]', True)
    copy = step("COPY tool /bin/ # buildkit")
    history = [BASE_STEP, entry, copy, cmd] if cmd_last else [BASE_STEP, copy, entry, cmd]
    return sound(tool, cmd=["--loud"], history=history)


EXAMPLES: dict[str, Example] = {
    "START-NOT-JUDGED": Example(bad=partial(sound, os="windows"), good=sound),
    "NO-COMMAND": specimen("no-command"),
    "SHELL-PID1": Example(
        bad=partial(shell_form, sound, "/bin/hello; true"), good=partial(shell_form, sound, "exec /bin/hello")
    ),
    "SCRIPT-WITHOUT-EXEC": Example(bad=partial(script, sound, "#!/bin/sh\n/bin/hello\n"), good=partial(script, sound)),
    "ENDS-AT-ONCE": Example(
        bad=lambda: sound(add(file("bin/rsyslogd", programs.hello(), 0o755)), entrypoint=["rsyslogd"]),
        good=lambda: sound(add(file("bin/rsyslogd", programs.hello(), 0o755)), entrypoint=["rsyslogd", "-n"]),
    ),
    "PACKAGE-MANAGER-PID1": Example(
        bad=lambda: sound(add(file("bin/npm", programs.hello(), 0o755)), entrypoint=["npm", "start"]),
        good=lambda: sound(add(file("bin/node", programs.hello(), 0o755)), entrypoint=["node", "server.js"]),
    ),
    "NOT-EXPANDED": Example(
        bad=partial(sound, entrypoint=["/bin/hello", "--port", "$PORT"]),
        good=partial(sound, entrypoint=["/bin/hello", "--port", "8080"]),
    ),
    "JSON-TO-SHELL": Example(
        bad=partial(shell_form, sound, "['/bin/hello', '--loud']"),
        good=partial(sound, entrypoint=None, cmd=["/bin/hello", "--loud"]),
    ),
    "CMD-UNREAD": Example(
        bad=partial(sound, entrypoint=["/bin/sh", "-c", "exec /bin/hello"], cmd=["--loud"]),
        good=partial(sound, entrypoint=["/bin/sh", "-c", 'exec /bin/hello "$@"', "sh"], cmd=["--loud"]),
    ),
    "CMD-WITH-SHELL-WORDS": Example(
        bad=partial(sound, cmd=["/bin/sh", "-c", "--loud"]), good=partial(sound, cmd=["--loud"])
    ),
    "INHERITED-ENTRYPOINT": Example(bad=partial(_inherited, True), good=partial(_inherited, False)),
    "INIT-INSIDE": Example(
        bad=lambda: sound(add(file("bin/tini", programs.sh(), 0o755)), entrypoint=["/bin/tini", "--", "/bin/hello"]),
        good=sound,
    ),
    "MACHINE-IN-DISGUISE": Example(
        bad=lambda: sound(add(file("bin/crond", programs.hello(), 0o755)), entrypoint=["crond", "-f"]), good=sound
    ),
    "BAD-STOPSIGNAL": Example(bad=partial(sound, stop_signal="SIGTREM"), good=partial(sound, stop_signal="SIGTERM")),
    "ONBUILD": Example(bad=partial(sound, onbuild=["RUN make"]), good=sound),
    "SHEBANG-ONE-ARGUMENT": Example(
        bad=lambda: sound(
            add(
                directory("usr"),
                directory("usr/bin"),
                file("usr/bin/env", programs.hello(), 0o755),
                file("tool.py", "#!/usr/bin/env python -u\nprint()\n", 0o755),
            ),
            entrypoint=["/tool.py"],
        ),
        good=partial(script, sound),
    ),
}
