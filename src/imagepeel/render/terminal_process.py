"""A prediction on a terminal: on failure the operator's own words first, then the request, the trace, PID 1.

Every text of an image passes `escape.terminal` here; nothing is interpreted as markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from imagepeel.evidence import Location, Receipt
from imagepeel.process.matrix import Matrix
from imagepeel.process.spec.values import JUDGES, Addition, Credentials, EnvVar, Prediction, Step, Verdict
from imagepeel.render.terminal_tables import heading, print_line, print_table, safe, table
from imagepeel.results.tables import ImageHead
from imagepeel.text import plural

_VERDICT_STYLE = {"RUNS": "bold green", "FAILS": "bold red", "DEPENDS": "bold yellow", "UNKNOWN": "bold yellow"}
_WRAP_BELOW = 1000
"""Columns from which lines are not wrapped: the output goes to a file or pipe."""


def print_prediction(
    console: Console, head: ImageHead, found: Prediction, receipts: Sequence[Sequence[Receipt]] = ()
) -> None:
    """Print one prediction whole; `receipts` are the shell commands of each of its steps."""
    print_line(console, heading(head))
    print_line(console, safe(f"on {found.engine} with {found.runtime}, linux/{found.architecture}", "dim"))
    console.print()
    _verdict(console, found.verdict)
    console.print()
    _request(console, found)
    _environment(console, found.env)
    _trace(console, found.steps, receipts)
    _pid1(console, found)
    _libraries(console, found)
    _additions(console, found.additions)
    for note in found.notes:
        _para(console, safe(f"note: {note}"), 0)


def print_matrix(console: Console, head: ImageHead, found: Matrix) -> None:
    """Print one verdict a cell, engines down and architectures across, and each failure's words once."""
    print_line(console, heading(head))
    console.print()
    grid = table(("", "text"), *((f"linux/{name}", "text") for name in found.architectures))
    texts: dict[str, list[str]] = {}
    for engine in found.engines:
        cells = []
        for cell in found.row(engine):
            verdict = cell.verdict
            words = " ".join(part for part in (verdict.kind, verdict.id) if part)
            code = f" exit {verdict.exit_code}" if verdict.kind == "FAILS" and verdict.exit_code is not None else ""
            cells.append(safe(words + code, _VERDICT_STYLE.get(verdict.kind, "")))
            said = verdict.text or verdict.reason or "; ".join(verdict.depends)
            if said:
                texts.setdefault(said, []).append(f"{engine} {cell.architecture}")
        grid.add_row(safe(engine, "bold"), *cells)
    print_table(console, grid)
    for said, where in texts.items():
        console.print()
        _para(console, safe(", ".join(where), "bold"), 0)
        for line in said.splitlines() or [said]:
            _para(console, safe(line), 2)


def _verdict(console: Console, verdict: Verdict) -> None:
    style = _VERDICT_STYLE.get(verdict.kind, "bold")
    if verdict.kind == "FAILS":
        for line in verdict.text.splitlines() or [verdict.message]:
            _para(console, safe(line, "red"), 2)
        if verdict.exit_code is not None:
            state = verdict.state_exit_code
            recorded = f" (recorded for the container: {state})" if state not in (None, verdict.exit_code) else ""
            print_line(console, Text(f"  exit code {verdict.exit_code}{recorded}", style="red"))
        console.print()
        _field(console, "why", safe(verdict.why))
        if verdict.fix:
            _field(console, "fix", safe(verdict.fix, "bold"))
        judge = JUDGES.get(verdict.judge, verdict.judge)
        errno = f", with {verdict.errno}" if verdict.errno else ""
        place = _place(verdict.where)
        words = f" {verdict.id}: refused by {judge}{errno}" + (f"   {place}" if place else "")
        print_line(console, Text("FAILS", style=style), safe(words))
        return
    print_line(console, Text(verdict.kind, style=style), safe(f" on {verdict.engine}" if verdict.engine else ""))
    for condition in verdict.depends:
        _field(console, "if", safe(condition))
    if verdict.reason:
        _field(console, "why", safe(verdict.reason))


def _request(console: Console, found: Prediction) -> None:
    if found.argv or found.path:
        _para(console, safe(found.execve, "bold"), 2)
    by_path = next((s.where for s in found.steps if s.path == found.path and s.where is not None), None)
    if found.path is not None:
        place = _place(by_path)
        _field(console, "file", safe(found.path + (f"   {place}" if place else "")))
    _field(console, "user", safe(_user(found.user)))
    _field(console, "in", safe(found.cwd))
    for note in found.user.notes:
        _field(console, "", safe(note))


def _user(user: Credentials) -> str:
    name = f" ({user.name})" if user.name else ""
    groups = f", groups {' '.join(map(str, user.groups))}" if user.groups else ", no further groups"
    asked = f"; USER {user.spec}" if user.spec else ""
    return f"{user.uid}:{user.gid}{name}{groups}{asked}; home {user.home}"


def _environment(console: Console, env: tuple[EnvVar, ...]) -> None:
    if not env:
        return
    console.print()
    print_line(console, Text("environment", style="bold"))
    for variable in env:
        why = f": {variable.why}" if variable.why else ""
        replaced = f", replaces that of the {' and the '.join(variable.overrides)}" if variable.overrides else ""
        line = Text.assemble(
            safe(f"{variable.name}={variable.value}"),
            safe(f"   from the {variable.origin}{replaced}{why}", "dim"),
        )
        _para(console, line, 2)


def _trace(console: Console, steps: Sequence[Step], receipts: Sequence[Sequence[Receipt]]) -> None:
    if not steps:
        return
    judge = ""
    for i, step in enumerate(steps):
        if step.judge != judge:
            judge = step.judge
            console.print()
            print_line(console, safe(f"{judge}  {JUDGES.get(judge, '')}".rstrip(), "bold"))
        good = step.outcome == "ok"
        number = f" round {step.round}" if step.round else ""
        place = _place(step.where)
        line = Text.assemble(
            safe(f"{step.rule}{number}  ", "dim"),
            safe(step.title),
            safe("" if good else f"   {step.outcome}", "" if good else "bold red"),
            safe(f"   {place}" if place else "", "dim"),
        )
        _para(console, line, 2)
        if step.call:
            _para(console, safe(step.call), 6)
        for detail in step.detail:
            _para(console, safe(detail), 6)
        skipped = [one for one in step.candidates if one.outcome != "taken"]
        for candidate in skipped:
            _para(console, safe(f"not {candidate.path}: {candidate.reason or candidate.outcome}", "dim"), 6)
        for receipt in receipts[i] if i < len(receipts) else ():
            # Never wrapped: what is copied from the screen is one command.
            print_line(console, Text("      try it  ", style="dim"), safe(receipt.command, "magenta"))


def _pid1(console: Console, found: Prediction) -> None:
    one = found.pid1
    if one is None:
        return
    console.print()
    print_line(console, Text("process 1", style="bold"))
    for number, words in enumerate(found.wrapped):
        _para(console, safe(f"{'starts' if not number else 'then'} {' '.join(words)}", "dim"), 2)
    for link in one.chain:
        _para(console, safe(link, "dim"), 2)
    _para(console, safe(f"{' '.join(one.argv)}   as {one.uid}:{one.gid}"), 2)
    if not one.exact:
        _para(console, safe("the text of the script does not prove what it becomes in the end"), 2)
    signals = {"yes": "hears it", "no": "does not hear it"}.get(
        one.hears_sigterm, "nobody can tell whether it hears it"
    )
    # "10, then SIGKILL (exit 137)", "0 to 10", or why no time can be named.
    seconds, _, then = one.seconds_to_stop.partition(", ")
    stop = f"; stopping takes {seconds} seconds" if seconds[:1].isdigit() else f"; {seconds}" if seconds else ""
    stop += f", {then}" if then else ""
    origin = f" (from the {one.stop_signal_origin})" if one.stop_signal_origin not in ("", "default") else ""
    _para(console, safe(f"stop sends {one.stop_signal}{origin}: {signals}{stop}"), 2)
    if one.why:
        _field(console, "why", safe(one.why))
    if one.fix:
        _field(console, "fix", safe(one.fix))


def _libraries(console: Console, found: Prediction) -> None:
    if not found.libraries:
        return
    console.print()
    missing = sum(library.path is None for library in found.libraries)
    title = plural(len(found.libraries), "needed library", "needed libraries")
    print_line(console, Text(title + (f", {missing} missing" if missing else ""), style="bold"))
    grid = table(("", "text"), ("", "text"), ("", "words"), ("", "text"))
    grid.show_header = False
    for library in found.libraries:
        grid.add_row(
            safe("  " + library.name),
            safe(library.path or "not found", "" if library.path else "bold red"),
            safe(library.how, "dim"),
            safe(_place(library.where), "dim"),
        )
    print_table(console, grid)


def _additions(console: Console, additions: tuple[Addition, ...]) -> None:
    if not additions:
        return
    console.print()
    origins = tuple(dict.fromkeys(addition.origin for addition in additions if addition.origin))
    title = "not in the tarball: what is added" + (f" by {origins[0]}" if len(origins) == 1 else "")
    print_line(console, safe(title, "bold"))
    plain: dict[str, list[str]] = {}
    for addition in additions:
        if _ordinary(addition):
            plain.setdefault(addition.kind, []).append(addition.path)
    for kind, paths in plain.items():
        # They hide nothing of this image, so their names say enough; --json says more.
        _para(console, safe(f"{kind + 's':<10} {', '.join(paths)}"), 2, hang=11)
    for addition in additions:
        if _ordinary(addition):
            continue
        origin = f" ({addition.origin})" if len(origins) > 1 and addition.origin else ""
        hides = ""
        if addition.hides:
            examples = ", ".join(addition.examples)
            hides = f"; hides {plural(addition.hides, 'path')} of the image" + (f": {examples}" if examples else "")
        what = f"{addition.kind:<10} {addition.path + '  ' if addition.path else ''}{addition.what}{hides}{origin}"
        _para(console, safe(what, "yellow" if addition.hides else ""), 2, hang=11)


def _ordinary(addition: Addition) -> bool:
    return addition.kind in ("mount", "file") and not addition.hides


def _place(where: Location | None) -> str:
    """Return where something comes from in a few words: `L3, step 5`, or the place in the config."""
    if where is None:
        return ""
    if where.layer is not None:
        return f"L{where.layer + 1}" + (f", step {where.step}" if where.step is not None else "")
    return f"config {where.pointer}" if where.pointer is not None else ""


def _field(console: Console, name: str, value: Text) -> None:
    _para(console, Text.assemble((f"{name:<6}", "dim"), value), 2, hang=6)


def _para(console: Console, words: Text, indent: int, *, hang: int = 2) -> None:
    """Print one paragraph, wrapped on a terminal with later lines further in."""
    room = console.width - indent
    if console.width >= _WRAP_BELOW or words.cell_len <= room or room < 30:
        print_line(console, Text(" " * indent), words)
        return
    lines = list(words.wrap(console, room - hang))
    for i, line in enumerate(lines):
        line.rstrip()
        print_line(console, Text(" " * (indent + (hang if i else 0))), line)
