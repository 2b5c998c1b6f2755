"""Pods: what is unfolded, what is read of each field, and what the API server and policies refuse."""

from __future__ import annotations

from typing import Any

import pytest

from imagepeel.deploy.pod import read_pod
from imagepeel.deploy.wanted import Deployment, Wanted
from imagepeel.errors import LimitExceeded, Malformed, Unsupported, UsageError

WEB = "{name: web, image: 'shop:1'}"


def pod(container: str = WEB, spec: str = "", kind: str = "Pod") -> str:
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: p}}\nspec:\n{spec}  containers:\n  - {container}\n"


def read(text: str, **given: Any) -> Deployment:
    return read_pod(text, "pod.yaml", given.pop("cluster", "k8s@1.36"), **given)


def web(fields: str, spec: str = "", **given: Any) -> Wanted:
    return read(pod(f"{{name: web, image: 'shop:1', {fields}}}", spec), **given).starts[0]


TEMPLATE = "{metadata: {labels: {a: b}}, spec: {containers: [" + WEB + "]}}"


@pytest.mark.parametrize(
    "kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController"]
)
def test_workloads_are_unfolded(kind: str) -> None:
    (start,) = read(f"kind: {kind}\nmetadata: {{name: p}}\nspec: {{template: {TEMPLATE}}}").starts
    assert (start.container, start.owner) == ("web", "p-<id>_default")
    assert start.place.pointer == "/spec/template/spec/containers/0"


def test_a_cron_job_is_unfolded() -> None:
    (start,) = read(
        f"kind: CronJob\nmetadata: {{name: p}}\nspec: {{jobTemplate: {{spec: {{template: {TEMPLATE}}}}}}}"
    ).starts
    assert start.place.pointer == "/spec/jobTemplate/spec/template/spec/containers/0"


def test_documents_and_lists_hold_several() -> None:
    text = pod() + "---\nkind: Service\n---\nkind: List\nitems:\n- " + TEMPLATE.replace("{meta", "{kind: Pod, meta", 1)
    assert len(read(text).starts) == 2


def test_the_order_is_that_of_the_start() -> None:
    spec = "  initContainers:\n  - {name: i, image: x}\n  - {name: s, image: x, restartPolicy: Always}\n"
    container = (
        "{name: web, image: x, livenessProbe: {exec: {command: [a]}}, readinessProbe: {httpGet: {port: 80}}, "
        "lifecycle: {preStop: {exec: {command: [b]}}}}"
    )
    found = [(one.container, one.role, one.what) for one in read(pod(container, spec)).starts]
    assert found == [
        ("i", "init container", ""), ("s", "sidecar", ""), ("web", "container", ""),
        ("web", "exec probe", "livenessProbe"), ("web", "hook", "preStop"),
    ]  # fmt: skip


def test_words_replace_entrypoint_and_cmd() -> None:
    options = web("command: [a, $(X), $(NO)], args: [b], env: [{name: X, value: v}]").options
    assert (options.entrypoint, options.args) == (("a", "v", "$(NO)"), ("b",))
    assert web("args: [b]").options.entrypoint is None
    assert web("command: []").options.entrypoint is None


def test_a_container_wins_over_its_pod() -> None:
    spec = "  securityContext: {runAsUser: 5, runAsGroup: 6, fsGroup: 7, supplementalGroups: [8], runAsNonRoot: true}\n"
    options = web("securityContext: {runAsUser: 9}", spec).options
    assert (options.user, options.run_as_group, options.groups) == ("9", 6, (7, 8))
    assert options.run_as_non_root


def test_what_the_file_has_is_used_and_what_it_has_not_is_named() -> None:
    text = (
        pod("{name: web, image: x, envFrom: [{configMapRef: {name: here}}, {secretRef: {name: gone}}], env: [{name: P, "
            "valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: O, valueFrom: {configMapKeyRef: {name: nil, key: k, "
            "optional: true}}}]}")
        + "---\nkind: ConfigMap\nmetadata: {name: here}\ndata: {A: b}\n"
        "---\nkind: Secret\nmetadata: {name: s}\ndata: {k: c2VjcmV0}\n"
    )  # fmt: skip
    start = read(text).starts[0]
    assert start.options.env == ("A=b", "P=secret")
    assert start.needs == ("the Secret gone",)
    assert start.unknown_env == ("the Secret gone", "the ConfigMap nil (key k)")


def test_volumes_by_what_they_hold() -> None:
    spec = (
        "  volumes:\n  - {name: e, emptyDir: {}}\n  - {name: c, configMap: {name: cm}}\n"
        "  - {name: h, hostPath: {path: /h}}\n  - {name: i, image: {reference: 'r:1'}}\n"
    )
    mounts = "volumeMounts: [" + ", ".join(f"{{name: {n}, mountPath: /{n}}}" for n in "echi") + "]"
    options = web(mounts, spec).options
    assert options.tmpfs == ("/e:mode=0777",)
    assert options.elsewhere == ("/c=the ConfigMap cm", "/h=the directory of the node /h", "/i=the image r:1")
    assert web(mounts, spec, cluster="kube-play").options.volumes == ("e:/e",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Service", "makes no pod"),
        ("a: b", "kind is not set"),
        ("kind: Pod", "no spec of a pod"),
        (pod("{name: web}"), "names no image"),
        (pod("{name: web, image: 5}"), "line 6, column 24 at /spec/containers/0/image: image is a number"),
        (pod("{name: web, image: x, args: serve}"), "args is a text, not a list"),
        (pod("{name: web, image: x, securityContext: {runAsUser: -1}}"), "-1 is no id"),
        (pod("{name: web, image: x, securityContext: {runAsUser: app}}"), "not a whole number"),
        (pod("{name: web, image: x, env: [{name: A, value: 1}]}"), "not a text (put it in quotes)"),
        (pod("{name: web, image: x, volumeMounts: [{name: a, mountPath: /}]}"), "mounted on /"),
        (pod() + "---\nkind: Secret\nmetadata: {name: s}\ndata: {k: '%'}", "no base64"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error(text: str, message: str) -> None:
    with pytest.raises((Malformed, Unsupported, LimitExceeded)) as caught:
        read(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "refused", "line"),
    [
        (pod("{name: web, image: x, comand: [a]}"), 'unknown field "spec.containers[0].comand"', 6),
        (pod("{name: Web, image: x}"), 'spec.containers[0].name: Invalid value: "Web"', 6),
        (pod("{name: web, image: x, volumeMounts: [{name: d, mountPath: /d}]}"), 'name: Not found: "d"', 6),
        (pod("{name: web, image: x, resources: {requests: {cpu: 2}, limits: {cpu: 1500m}}}"), "cpu limit of 1500m", 6),
        (pod("{name: w, image: x, securityContext: {privileged: true, allowPrivilegeEscalation: false}}"), "cannot", 6),
        (pod("{name: web, image: x, resources: {limits: {memory: 1GB}}}"), "quantities must match", 6),
        (pod("{name: web, image: x, resources: {limits: {disk: 1}}}"), '"disk": must be a standard resource', 6),
        (pod("{name: web, image: x, lifecycle: {stopSignal: SIGINT}}"), "stopSignal: Forbidden", 6),
        (pod() + "  - " + WEB + "\n", 'spec.containers[1].name: Duplicate value: "web"', 7),
        (pod(kind="Pod").replace("{name: p}", "{name: P}"), 'metadata.name: Invalid value: "P"', 3),
        (pod("{name: web, image: x, volumeMounts: [{name: d, mountPath: /a}, {name: d, mountPath: /a}]}",
             "  volumes: [{name: d, emptyDir: {}}]\n"), "must be unique", 7),
    ],
)  # fmt: skip
def test_what_the_api_server_refuses(text: str, refused: str, line: int) -> None:
    found = read(text).refusals
    assert [one.place.line for one in found if refused in one.text] == [line], found
    assert all(one.source for one in found)
    assert not read(text, cluster="kube-play").refusals, "podman asks no API server"


GOOD = (
    "{name: web, image: x, securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: "
    "[ALL]}, seccompProfile: {type: RuntimeDefault}}}"
)
BASELINE = [
    ("Host Namespaces", WEB, "  hostNetwork: true\n"),
    ("Privileged Containers", "{name: web, image: x, securityContext: {privileged: true}}", ""),
    ("Capabilities", "{name: web, image: x, securityContext: {capabilities: {add: [NET_ADMIN]}}}", ""),
    ("HostPath Volumes", WEB, "  volumes: [{name: h, hostPath: {path: /}}]\n"),
    ("Host Ports", "{name: web, image: x, ports: [{containerPort: 80, hostPort: 80}]}", ""),
    ("Host Probes / Lifecycle Hooks (v1.34+)",
     "{name: web, image: x, livenessProbe: {httpGet: {port: 80, host: h}}}", ""),
    ("AppArmor", "{name: web, image: x, securityContext: {appArmorProfile: {type: Unconfined}}}", ""),
    ("SELinux", WEB, "  securityContext: {seLinuxOptions: {type: spc_t}}\n"),
    ("/proc Mount Type", "{name: web, image: x, securityContext: {procMount: Unmasked}}", ""),
    ("Seccomp", WEB, "  securityContext: {seccompProfile: {type: Unconfined}}\n"),
    ("Sysctls", WEB, "  securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}\n"),
]  # fmt: skip
RESTRICTED = [
    ("Volume Types", GOOD, "  volumes: [{name: h, nfs: {server: s, path: /}}]\n"),
    ("Privilege Escalation (v1.8+)", GOOD.replace("allowPrivilegeEscalation: false, ", ""), ""),
    ("Running as Non-root", GOOD.replace("runAsNonRoot: true, ", ""), ""),
    ("Running as Non-root user (v1.23+)", GOOD.replace("runAsNonRoot: true", "runAsNonRoot: true, runAsUser: 0"), ""),
    ("Seccomp (v1.19+)", GOOD.replace(", seccompProfile: {type: RuntimeDefault}", ""), ""),
    ("Capabilities (v1.22+)", GOOD.replace("drop: [ALL]", "drop: [NET_RAW]"), ""),
]


@pytest.mark.parametrize(("control", "container", "spec"), BASELINE, ids=lambda given: given[:20])
def test_each_control_of_baseline(control: str, container: str, spec: str) -> None:
    text = pod(container, spec)
    assert [one.source.rpartition('", ')[2] for one in read(text, psa="baseline").refusals] == [control]
    assert not read(text, psa="privileged").refusals


@pytest.mark.parametrize(("control", "container", "spec"), RESTRICTED, ids=lambda given: given[:20])
def test_each_control_of_restricted(control: str, container: str, spec: str) -> None:
    text = pod(container, spec)
    assert [one.source.rpartition('", ')[2] for one in read(text, psa="restricted").refusals] == [control]
    assert not read(text, psa="baseline").refusals
    assert not read(pod(GOOD), psa="restricted").refusals


def test_the_words_are_those_of_the_plugin() -> None:
    """As public logs of clusters quote them."""
    (refusal, *_) = read(pod(), psa="restricted").refusals
    assert refusal.text == (
        'allowPrivilegeEscalation != false (container "web" must set securityContext.allowPrivilegeEscalation=false)'
    )
    assert refusal.by == 'PodSecurity "restricted:latest"'
    assert not read(pod(BASELINE[5][1]), psa="baseline:v1.33").refusals, "the control came with 1.34"


def test_restricted_v2_starts_with_an_arbitrary_uid_and_group_0() -> None:
    found = read(pod(), cluster="cri-o", scc="restricted-v2")
    options = found.starts[0].options
    assert (options.user, options.run_as_group, options.cap_drop) == ("1000640000", 0, ("ALL",))
    assert options.no_new_privileges and not found.refusals
    refused = read(
        pod("{name: web, image: x, securityContext: {runAsUser: 1000}}"), cluster="cri-o", scc="restricted-v2"
    )
    assert "must be in the ranges" in refused.refusals[0].text


@pytest.mark.parametrize("given", [{"psa": "strict"}, {"psa": "baseline:x"}, {"scc": "anyuid"},
                                   {"psa": "baseline", "cluster": "docker"}, {"cluster": "nobody"}])  # fmt: skip
def test_unknown_policies_are_usage_errors(given: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        read(pod(), **given)


def test_a_profile_of_the_node_is_a_condition() -> None:
    start = web("securityContext: {seccompProfile: {type: Localhost, localhostProfile: p.json}}")
    assert start.needs == ("the seccomp profile p.json of the node",)
