"""Compare a prediction with what a runtime really did; every difference is one line."""

from __future__ import annotations

import hashlib
from typing import Any

from model import Scenario

from imagepeel.process import Prediction

LONG = 300


def short(value: Any) -> Any:
    """Long strings as their start, length and digest, so that the record of big arguments stays small."""
    if isinstance(value, str):
        if len(value) <= LONG:
            return value
        digest = hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
        return f"{value[:40]}... {len(value)} characters, sha256 {digest[:16]}"
    if isinstance(value, list):
        if len(value) > 50:
            return short("\n".join(value)) if isinstance(value[0], str) else value
        return [short(item) for item in value]
    if isinstance(value, dict):
        return {key: short(item) for key, item in value.items()}
    return value


def expectation(scenario: Scenario, runtime: str, prediction: Prediction) -> list[str]:
    """Differences between the verdict and the scenario's own, which people wrote from the failure table."""
    wanted = scenario.expect[runtime]
    verdict = prediction.verdict
    found = verdict.id if verdict.kind == "FAILS" else verdict.kind
    return [] if found == wanted else [f"verdict {found}, the scenario says {wanted} ({verdict})"]


def reality(observed: dict[str, Any], prediction: Prediction) -> list[str]:
    """Differences between the prediction and a real start."""
    verdict = prediction.verdict
    if "refused" in observed:
        return [] if verdict.kind == "FAILS" and verdict.judge == "J1" else [f"refused for real, predicted {verdict}"]
    if verdict.kind in {"UNKNOWN", "DEPENDS"}:
        return []
    if verdict.kind == "FAILS":
        different = []
        if short(verdict.runtime_text) != observed["text"]:
            different.append(f"text: predicted {short(verdict.runtime_text)!r}, really {observed['text']!r}")
        if verdict.runtime_exit_code != observed["exit"]:
            different.append(f"exit: predicted {verdict.runtime_exit_code}, really {observed['exit']}")
        if "report" in observed:
            different.append("FAILS was predicted and the program ran")
        return different
    report = observed.get("report")
    if report is None:
        return [] if "ran" in observed else [f"RUNS was predicted, really {observed}"]
    said: dict[str, Any] = {
        "argv": list(prediction.pid1.argv if prediction.pid1 else prediction.argv),
        "env": [f"{variable.name}={variable.value}" for variable in prediction.env],
        "uid": prediction.pid1.uid if prediction.pid1 else prediction.user.uid,
        "gid": prediction.pid1.gid if prediction.pid1 else prediction.user.gid,
        "groups": sorted(prediction.user.groups),
        "cwd": prediction.cwd,
        "exe": prediction.pid1.path if prediction.pid1 else prediction.path,
    }
    said = short(said)
    return [f"{key}: predicted {said[key]!r}, really {report[key]!r}" for key in said if said[key] != report[key]]
