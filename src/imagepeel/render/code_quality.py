"""The code quality report of GitLab: one issue a new finding."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from imagepeel.evidence import raw
from imagepeel.render.ci_paths import path_of
from imagepeel.render.escape import visible
from imagepeel.results.check import CheckRun, expiry
from imagepeel.serialization import indented, to_json
from imagepeel.text import title

_SEVERITIES = {"high": "critical", "medium": "major", "low": "minor", "info": "info"}


def check_gitlab(run: CheckRun) -> str:
    """Return the new findings of all images as GitLab's report artifact `codequality` takes them.

    A fingerprint stays the same when the image is built again.  An archive that was not judged is a blocker: without
    it, what was found in it before would count as mended.
    """
    issues: list[dict[str, Any]] = []
    seen: Counter[tuple[str, ...]] = Counter()
    for outcome in run.outcomes:
        head = outcome.image
        for finding in outcome.new:
            expired = expiry(outcome, finding)
            fix = f" {title(expired)}." if expired else ""
            fix += f" Fix: {finding.fix}" if finding.fix else ""
            stop = "" if finding.message.endswith((".", "!", "?")) else "."
            issue = _issue(finding.rule, f"{finding.message}{stop}{fix}", _SEVERITIES[finding.severity], head.archive)
            if (lines := outcome.lines.get(finding.key)) is not None:
                place = {"begin": lines.first, "end": lines.last}
                issue["location"] = {"path": visible(path_of(outcome.dockerfile)), "lines": place}
            issue["fingerprint"] = _fingerprint(seen, path_of(head.archive), str(head.number), finding.key)
            issues.append(issue)
    for error in run.not_checked:
        issue = _issue("NOT-JUDGED", f"The archive could not be judged: {error.message}", "blocker", error.archive)
        issue["fingerprint"] = _fingerprint(seen, path_of(error.archive), "", error.error)
        issues.append(issue)
    return indented(to_json(issues)).decode()


def _issue(check: str, what: str, severity: str, archive: str) -> dict[str, Any]:
    place = {"path": visible(path_of(archive)), "lines": {"begin": 1}}
    return {"description": visible(what), "check_name": check, "severity": severity, "location": place}


def _fingerprint(seen: Counter[tuple[str, ...]], *identity: str) -> str:
    seen[identity] += 1
    return hashlib.sha256(raw("\0".join((*identity, str(seen[identity]))))).hexdigest()
