"""The one command that tells a cause from the others with the same text, by the engine's own client alone.

It needs no archive: whoever reads an error has an image in a store, or a Pod.  `IMAGE`, `POD` and `PATH` stand for what
the text did not say.
"""

from __future__ import annotations

from imagepeel.evidence import Receipt
from imagepeel.process.spec.failure import FailureCode as F
from imagepeel.receipts.quoting import quote

_HEAD = frozenset({F.SHEBANG_CRLF, F.INTERPRETER_MISSING, F.INTERPRETER_BLOCKED, F.SHEBANG_LIMIT})
_BYTES = frozenset({F.NO_PROGRAM_FORMAT})
_PROGRAM = frozenset({F.LOADER_MISSING, F.LOADER_REFUSED})
_MACHINE = frozenset({F.ELF_REFUSED})
_LISTED = frozenset(
    {
        F.FILE_MISSING, F.FILE_ON_THE_WAY, F.NOT_EXECUTABLE, F.IS_DIRECTORY, F.LINK_LOOP, F.SCRIPT_UNREADABLE,
        F.WORKDIR_BLOCKED, F.WORKDIR_DANGLING, F.WORKDIR_IN_MOUNT, F.MOUNT_POINT_BLOCKED, F.VOLUME_OVER_FILE,
        F.CAPABILITIES_BLOCK, F.IDS_UNMAPPED,
    }
)  # fmt: skip
_NAMED = frozenset(
    {
        F.NOT_IN_PATH, F.SKIPPED_IN_PATH, F.RELATIVE_PATH_HIT, F.TOOL_FAILS, F.SHELL_MISSING, F.SHELL_LINE_FAILS,
        F.WRAPPER_FAILS, F.LIBRARY_MISSING, F.LIBRARY_MISSING_MUSL, F.SYMBOL_MISSING,
    }
)  # fmt: skip
_FIELDS = {
    F.EMPTY_COMMAND: ("Entrypoint", "Cmd"),
    F.NO_COMMAND: ("Entrypoint", "Cmd"),
    F.COMMAND_LINE_AS_NAME: ("Entrypoint", "Cmd"),
    F.INIT_NOT_FIRST: ("Entrypoint", "Cmd"),
    F.ARGUMENTS_TOO_LONG: ("Entrypoint", "Cmd", "Env"),
    F.PATH_UNUSABLE: ("Env",),
    F.VARIABLE_MALFORMED: ("Env",),
    F.RUN_AS_NON_ROOT: ("User",),
    F.WORKDIR_RELATIVE: ("WorkingDir",),
    F.STOP_SIGNAL_UNKNOWN: ("StopSignal",),
}
_ACCOUNTS = {F.USER_UNKNOWN: "/etc/passwd", F.GROUP_UNKNOWN: "/etc/group", F.ETC_UNUSABLE: "/etc/passwd"}
_STATES = {
    "oom": (
        "{tool} inspect --format '{{{{.State.OOMKilled}}}} {{{{.State.ExitCode}}}}' CONTAINER",
        "kubectl get pod POD -o jsonpath='{.status.containerStatuses[*].lastState.terminated.reason}'",
        "true, or OOMKilled: it was memory",
    ),
    "state": (
        "{tool} logs --tail 20 CONTAINER",
        "kubectl logs --previous --tail=20 POD",
        "what the program itself said last",
    ),
    "previous": (
        "{tool} logs --tail 20 CONTAINER",
        "kubectl logs --previous --tail=20 POD",
        "what the start before said last",
    ),
    "events": (
        "{tool} events --since 10m --until 0m",
        "kubectl get events --field-selector involvedObject.name=POD --sort-by=.lastTimestamp",
        "the message behind the state",
    ),
    "unit": ("systemctl cat UNIT", "systemctl cat UNIT", "the file of ExecStart"),
}


def telling_command(code: F, about: str = "", tool: str = "docker") -> Receipt:
    """Return the command that shows whether a failure is this one.

    Arguments: `about` is the path or name of the text, "" where it has none; `tool` the client: docker, podman or
    nerdctl.
    """
    made = f'"$({tool} create IMAGE x)"'
    absolute = about.startswith("/") and about.isprintable()
    file = quote(about) if absolute else "/PATH"
    fetched = f"{tool} cp -L {made}:{file} - | tar -xO"
    listing = f"{tool} export {made} | tar -tv"
    if code in _HEAD:
        return Receipt(command=f"{fetched} | head -n 1 | od -c", shows="#!, the interpreter, and \\r before \\n or not")
    if code in _BYTES:
        return Receipt(command=f"{fetched} | head -c 32 | od -c", shows="neither #! nor 177 E L F: no program")
    if code in _PROGRAM:
        return Receipt(command=f"{fetched} | head -c 4096 | strings | grep ld-", shows="the loader that it names")
    if code in _MACHINE:
        shown = "'{{.Os}}/{{.Architecture}}'"
        return Receipt(
            command=f"{tool} image inspect --format {shown} IMAGE; uname -m", shows="two machines that differ"
        )
    if code in _FIELDS:
        fields = " ".join(f"{{{{json .Config.{field}}}}}" for field in _FIELDS[code])
        return Receipt(command=f"{tool} image inspect --format '{fields}' IMAGE", shows="what the image asks for")
    if code in _ACCOUNTS:
        return Receipt(command=f"{tool} cp -L {made}:{_ACCOUNTS[code]} - | tar -xO", shows="the names that it knows")
    if code in _LISTED:
        name = quote(about.strip("/")) if absolute and about.strip("/") else "PATH"
        return Receipt(command=f"{listing} | grep -F -- {name}", shows="whether it is there, its kind and its mode")
    if code is F.SYMBOL_VERSION_MISSING:
        return Receipt(command=f"{listing} | grep -E 'libc[.-]|ld-musl'", shows="which C library it has")
    if code in _NAMED:
        name = about.rpartition("/")[2]
        shown = quote(name) if name and name.isprintable() else "NAME"
        return Receipt(command=f"{listing} | grep -F -- {shown}", shows="whether any file has that name, and its mode")
    return Receipt(command="imagepeel process image.tar --matrix", shows="which engines refuse the image, and why")


def state_command(name: str, tool: str = "docker") -> Receipt | None:
    """Return the command that tells what is behind a state; None for one without.

    `tool` is the client: docker, podman, nerdctl, or kubectl.
    """
    if name not in _STATES:
        return None
    own, of_pod, shows = _STATES[name]
    return Receipt(command=of_pod if tool == "kubectl" else own.format(tool=tool), shows=shows)
