"""Deployments whose text was changed at random: a deployment or one error of ours, never anything else."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from imagepeel.deploy.compose import read_compose
from imagepeel.deploy.pod import read_pod
from imagepeel.deploy.quadlet import read_quadlet
from imagepeel.deploy.wanted import Deployment
from imagepeel.errors import ImagepeelError
from imagepeel.process.scenario import settle

POD = """kind: StatefulSet
metadata: {name: p}
spec:
  volumeClaimTemplates: [{metadata: {name: d}}]
  template:
    spec:
      securityContext: {runAsUser: 5, fsGroup: 7, sysctls: [{name: a, value: b}], seLinuxOptions: {type: t}}
      initContainers: [{name: i, image: x, restartPolicy: Always}]
      containers:
      - name: web
        image: shop:1
        command: [sh, -c, $(A)]
        env: [{name: A, value: b}, {name: S, valueFrom: {secretKeyRef: {name: s, key: k}}}]
        envFrom: [{configMapRef: {name: c}}]
        volumeMounts: [{name: d, mountPath: /d}, {name: e, mountPath: /e}]
        livenessProbe: {exec: {command: [a]}, periodSeconds: 1}
        lifecycle: {preStop: {exec: {command: [b]}}, stopSignal: SIGINT}
        resources: {limits: {memory: 1Gi}, requests: {memory: 1Mi}}
        securityContext: {capabilities: {drop: [ALL]}, privileged: false, procMount: Default}
        ports: [{containerPort: 80, hostPort: 80}]
      volumes: [{name: e, emptyDir: {}}]
"""
COMPOSE = """x-base: &b {image: "${I:-x}", read_only: true}
services:
  web:
    <<: *b
    command: a "b c" $$d
    environment: {A: 1, B: null}
    volumes: [d:/d, ./x:/x, {type: tmpfs, target: /t, tmpfs: {mode: 0o700}}]
    ports: [{target: 80}, '1:2']
    labels: [owner=me]
    depends_on: [db]
    healthcheck: {test: [CMD, a]}
    secrets: [s]
volumes: {d: {}}
"""
QUADLET = """[Container]
Image=x
Exec=a \\
  b
Volume=d.volume:/d
Mount=type=tmpfs,destination=/t
Environment="A=1 2"
HealthCmd=true
"""
PIECES = ("{}", "[]", "null", "5", "-1", "true", "''", "[x]", "&a", "*a", "<<: ", "!x ", "$", "${A:-", "$(A)", "/", "=",
          ":", ",", "\\", '"', "'", "\n", "  ", "\x85", "9" * 30, "0o9", "\t", "%")  # fmt: skip


def changed(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        cut = chance.choice((0, 0, chance.randint(1, 8)))
        text = text[:at] + chance.choice((chance.choice(PIECES), "")) + text[at + cut :]
    return text


def pods(text: str) -> Deployment:
    return read_pod(text, "p", "k8s", psa="restricted", scc="restricted-v2")


@pytest.mark.parametrize(
    ("text", "read"),
    [(POD, pods), (COMPOSE, lambda text: read_compose(text, "c", "docker", {})),
     (QUADLET, lambda text: read_quadlet(text.encode(), "q.container", "podman"))],
    ids=["pod", "compose", "quadlet"],
)  # fmt: skip
def test_changed_text(text: str, read: Callable[[str], Deployment]) -> None:
    assert read(text).starts, "as it is, it can be read"
    chance = random.Random(1)
    for _ in range(300):
        given = changed(text, chance)
        try:
            for start in read(given).starts:
                settle(None, start.options)
        except ImagepeelError as error:
            assert str(error)
