"""Compare a prediction with what a runtime really did; every difference is one line."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from model import Scenario

from imagepeel.process.spec.values import Prediction

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
        text = re.sub(r"\[FATAL tini \(\d+\)\]", "[FATAL tini (PID)]", verdict.runtime_text)
        text = "\n".join(f"{text}\n".splitlines())  # a carriage return ends a line in the record
        if short(text) != observed["text"]:
            different.append(f"text: predicted {short(verdict.runtime_text)!r}, really {observed['text']!r}")
        if verdict.runtime_exit_code != observed["exit"]:
            different.append(f"exit: predicted {verdict.runtime_exit_code}, really {observed['exit']}")
        if "report" in observed:
            different.append("FAILS was predicted and the program ran")
        return different
    report = observed.get("report")
    if report is None:
        return [] if observed["exit"] == 0 else [f"RUNS was predicted, really {observed}"]
    if report["pid"] != 1:
        return _child(report, prediction)
    said: dict[str, Any] = {
        "argv": list(prediction.pid1.argv if prediction.pid1 else prediction.argv),
        "env": [f"{variable.name}={variable.value}" for variable in prediction.env],
        "uid": prediction.pid1.uid if prediction.pid1 else prediction.user.uid,
        "gid": prediction.pid1.gid if prediction.pid1 else prediction.user.gid,
        "groups": sorted(prediction.pid1.groups if prediction.pid1 else prediction.user.groups),
        "cwd": prediction.cwd,
        "exe": prediction.pid1.path if prediction.pid1 else prediction.path,
    }
    if prediction.pid1 and not prediction.pid1.exact:  # a word that only the running shell knows
        said.pop("argv")
    if prediction.wrapped:  # shells and wrappers have variables and directories of their own
        said.pop("env")
        said.pop("cwd")
    said = short(said)
    return [f"{key}: predicted {said[key]!r}, really {report[key]!r}" for key in said if said[key] != report[key]]


def _child(report: dict[str, Any], prediction: Prediction) -> list[str]:
    """The report came from a child: process 1 must be predicted as something that stays in front of it."""
    one = prediction.pid1
    if one is None or one.kind not in {"shell", "script", "init", "wrapper"}:
        return [f"process 1 is predicted as {one}, really the report has pid {report['pid']}"]
    wrapped = list(prediction.wrapped[-1]) if prediction.wrapped else []
    return [] if wrapped == report["argv"] else [f"child: predicted {wrapped}, really {report['argv']}"]


_OF_THE_CLIENT = (
    "See 'docker run --help'",
    "Run 'docker run --help'",
    "sudo: unable to resolve host ",  # the name of this machine, which ctr leaves to its containers
)


def engine_text(text: str) -> str:
    """What an engine's command line wrote, without the client's own decoration."""
    lines = [line for line in text.split("\n") if line not in {"", "error waiting for container: context canceled"}]
    lines = [line.rstrip("\r") for line in lines if not line.startswith(_OF_THE_CLIENT)]
    words = "\n".join(lines)
    if words.startswith("docker: Error response"):
        words = words.removeprefix("docker: ").removesuffix(".")
    words = re.sub(r"\[FATAL tini \(\d+\)\]", "[FATAL tini (PID)]", words)
    words = re.sub(r"/tmp/containerd-mount\d+", "<mount>", words)
    words = re.sub(r"/[^\s:\"]*/io\.containerd\.runtime\.v2\.task/[^\s:\"/]*/[^\s:\"/]*/rootfs", "<mount>", words)
    words = words.replace("<container-id>", "ID")
    return re.sub(r"/[^\s:]*/overlay2?/[^\s:/]*/merged", "<mount>", words)


def engine_reality(observed: dict[str, Any], prediction: Prediction) -> list[str]:
    """Differences between the prediction and a start on a whole engine."""
    verdict = prediction.verdict
    if verdict.kind in {"UNKNOWN", "DEPENDS"}:
        return []
    if verdict.kind == "FAILS":
        different = []
        text = short(engine_text(verdict.text))
        if text != observed["text"]:
            different.append(f"text: predicted {text!r}, really {observed['text']!r}")
        if verdict.exit_code != observed["exit"]:
            different.append(f"exit: predicted {verdict.exit_code}, really {observed['exit']}")
        if "state" in observed and verdict.state_exit_code != observed["state"]:
            different.append(f"state: predicted {verdict.state_exit_code}, really {observed['state']}")
        return different
    report = observed.get("report")
    if report is None or "pid" not in report:
        return [] if observed["exit"] == 0 else [f"RUNS was predicted, really {observed}"]
    hostname = {"<container-id>": "ID"}
    env = short(sorted(f"{v.name}={hostname.get(v.value, v.value)}" for v in prediction.env))
    one = prediction.pid1
    if report["pid"] != 1 or one is None:
        return _child(report, prediction)
    said = short({"argv": list(one.argv), "uid": one.uid, "gid": one.gid, "groups": sorted(one.groups),
                  "cwd": prediction.cwd, "exe": one.path})  # fmt: skip
    if not one.exact:  # a word that only the running shell knows
        said.pop("argv")
    different = [f"{key}: predicted {said[key]!r}, really {report[key]!r}" for key in said if said[key] != report[key]]
    if prediction.wrapped:
        different = [line for line in different if not line.startswith("cwd")]
    elif env != report["env"]:
        different.append(f"env: predicted {env!r}, really {report['env']!r}")
    return different
