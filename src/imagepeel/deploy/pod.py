"""Pods: what each container of a pod starts, and what the file leaves to ConfigMaps, Secrets and volumes.

Sources: kubernetes.io "Define a Command and Arguments for a Container", "Configure a Security Context for a Pod or
Container", "Sidecar Containers", the reference of Pod v1; kubelet's kuberuntime and podman's pkg/specgen/generate/kube.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagepeel.deploy import openshift, pod_security
from imagepeel.deploy.expansion import expand, names_in
from imagepeel.deploy.kubernetes_values import Given, PodText, given_data, pods
from imagepeel.deploy.marked import Node, read_documents
from imagepeel.deploy.place import malformed
from imagepeel.deploy.pod_facts import facts_of
from imagepeel.deploy.pod_rules import refusals
from imagepeel.deploy.pod_volumes import Volumes
from imagepeel.deploy.wanted import Deployment, Field, Refusal, Role, Wanted
from imagepeel.errors import UsageError
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.registry import find_engine
from imagepeel.process.spec.options import ProcessOptions

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HOOKS = ("postStart", "preStop")
_MOST_ID = 2**31 - 1


def read_pod(text: bytes | str, file: str, cluster: str, *, psa: str = "", scc: str = "") -> Deployment:
    """Return what the pods of a YAML file start on an engine, `NAME[@VERSION]`.

    `psa` is a level of Pod Security that the namespace enforces, `scc` a security context constraint of OpenShift.
    Malformed, LimitExceeded, Unsupported for a file that makes no pod; UsageError for an unknown engine or policy.
    """
    engine, label = find_engine(cluster)
    openshift.check_name(scc)
    if psa:
        pod_security.parse_level(psa)
    if (psa or scc) and not engine.admits_pods:
        raise UsageError(f"{label} is no cluster: nobody asks a policy there", hint="leave --psa and --scc out")
    documents = read_documents(text, file)
    given = given_data(documents)
    made = pods(documents, file)
    readers = [_Pod(one, given, engine, label) for one in made]
    starts = tuple(start for reader in readers for start in reader.starts())
    if scc:
        starts = tuple(
            msgspec.structs.replace(one, options=openshift.constrained(one.options, inside=one.inside))
            for one in starts
        )
    refused = tuple(refusal for one in made for refusal in _refused(one, psa, scc)) if engine.admits_pods else ()
    facts = tuple(fact for one in made for fact in facts_of(one))
    return Deployment(form="pod", file=file, starts=starts, refusals=refused, facts=facts)


def _refused(pod: PodText, psa: str, scc: str) -> Iterator[Refusal]:
    """What is refused of a pod, in the order in which it is asked: the API's own rules, then the policies."""
    yield from refusals(pod)
    if scc:
        yield from openshift.violations(pod)
    if psa:
        yield from pod_security.violations(pod, psa)


class _Pod:
    """One pod under way."""

    def __init__(self, pod: PodText, given: Given, engine: Engine, label: str) -> None:
        self.pod = pod
        self.given = given
        self.engine = engine
        self.label = label
        self.security = pod.spec.get("securityContext")
        self.volumes = Volumes(pod, engine)

    def starts(self) -> Iterator[Wanted]:
        """Yield every process in the order in which they start, probes and hooks behind their container."""
        for container in self.pod.spec.each("initContainers"):
            stays = container.string("restartPolicy") == "Always"
            yield from self._container(container, "sidecar" if stays else "init container")
        for container in self.pod.spec.each("containers"):
            yield from self._container(container, "container")

    def _container(self, node: Node, role: Role) -> Iterator[Wanted]:
        env = _Environment(self.given, self.pod, expands=self.engine.expands_words)
        env.read(node)
        fields: list[Field] = []
        mounts, volumes = self.volumes.of(node)
        options = self._options(node, env, volumes, fields)
        name, image = node.string("name"), node.get("image")
        if image is None:
            raise malformed(node.place, f"the container {name!r} names no image")
        command, args = node.get("command"), node.get("args")
        words: dict[str, tuple[str, ...]] = {}
        expands = self.engine.expands_words
        for option, value in (("entrypoint", command), ("args", args)):
            if value is not None and value.as_list():
                texts = value.as_texts()
                words[option] = tuple(expand(word, env.values) for word in texts) if expands else texts
                fields.append(Field(name="command" if value is command else "args", place=value.place))
        needs = [*env.needs, *_profiles(node, self.security)]
        asked = {n for value in (command, args) if value is not None for w in value.as_texts() for n in names_in(w)}
        notes = [f"$({one}) has no variable here and stays as it is" for one in sorted(asked - env.values.keys())
                 if expands and one not in env.unknown]  # fmt: skip
        wanted = Wanted(
            container=name,
            role=role,
            image=image.as_text(),
            options=msgspec.structs.replace(options, **words),
            place=node.place,
            owner=f"{self.pod.pod_name}_{self.pod.namespace}",
            fields=(Field(name="image", place=image.place), *fields),
            mounts=mounts,
            needs=tuple(dict.fromkeys(needs)),
            unknown_env=tuple(env.unknown_sources),
            notes=tuple(notes),
            restarts=self._restarts(role),
        )
        yield wanted
        if role != "init container":
            yield from self._inside(node, wanted, env)

    def _restarts(self, role: Role) -> bool:
        policy = self.pod.spec.string("restartPolicy", "Always")
        return role == "sidecar" or policy in ("Always", "OnFailure")

    def _inside(self, node: Node, wanted: Wanted, env: _Environment) -> Iterator[Wanted]:
        """Yield what is executed in the running container: probes of the exec kind, and hooks."""
        base = msgspec.structs.replace(wanted.options, args=None, run_as_non_root=False, init=False)
        asked: list[tuple[Role, str, Node]] = []
        for name in PROBES:
            probe = node.get(name, "exec", "command")
            if probe is not None:
                asked.append(("exec probe", name, probe))
        for name in HOOKS:
            hook = node.get("lifecycle", name, "exec", "command")
            if hook is not None:
                asked.append(("hook", name, hook))
        for role, name, command in asked:
            words = command.as_texts()
            if role == "exec probe" and self.engine.expands_words:
                words = tuple(expand(word, env.static) for word in words)
            if self.engine.probes_through_shell:
                words = ("/bin/sh", "-c", f"{' '.join(words)} || exit 1")
            yield msgspec.structs.replace(
                wanted,
                role=role,
                what=name,
                options=msgspec.structs.replace(base, entrypoint=words),
                place=command.place,
                fields=(Field(name=name, place=command.place),),
                notes=(),
            )

    # ---- options ------------------------------------------------------------------------------------------

    def _options(
        self, node: Node, env: _Environment, volumes: dict[str, tuple[str, ...]], fields: list[Field]
    ) -> ProcessOptions:
        own = node.get("securityContext")
        known = self.engine.admits_pods

        def security(name: str) -> Node | None:
            """The container's own setting, else that of the pod."""
            found = own.get(name) if own is not None else None
            return found if found is not None or self.security is None else self.security.get(name)

        def noted(name: str) -> Node | None:
            found = security(name)
            if found is not None:
                fields.append(Field(name=name, place=found.place))
            return found

        values: dict[str, object] = {"engine": self.label, "env": tuple(env.entries), **volumes}
        if (user := noted("runAsUser")) is not None:
            values["user"] = str(_id(user))
        if (group := noted("runAsGroup")) is not None:
            values["run_as_group"] = _id(group)
            if self.engine.joins_group:
                values |= {"user": f"{values.get('user', '')}:{_id(group)}", "run_as_group": None}
        strict = noted("runAsNonRoot")
        values["run_as_non_root"] = strict is not None and strict.as_flag()
        if own is not None:
            values |= _container_security(own, fields)
        groups = self._groups()
        if groups:
            values["groups"] = groups
        if self.security is not None and known:
            values["supplemental_groups_policy"] = self.security.string("supplementalGroupsPolicy")
        host_users = self.pod.spec.get("hostUsers")
        values["user_namespace"] = known and host_users is not None and not host_users.as_flag()
        if (directory := node.get("workingDir")) is not None:
            fields.append(Field(name="workingDir", place=directory.place))
            values["workdir"] = directory.as_text()
        values["tty"] = (tty := node.get("tty")) is not None and tty.as_flag()
        values["hostname"] = self.pod.spec.string("hostname") or self.pod.pod_name
        if (signal := node.get("lifecycle", "stopSignal")) is not None:
            fields.append(Field(name="stopSignal", place=signal.place))
            values["stop_signal"] = signal.as_text()
        return ProcessOptions(**values)  # type: ignore[arg-type]

    def _groups(self) -> tuple[int, ...]:
        if self.security is None:
            return ()
        group = self.security.get("fsGroup") if self.engine.admits_pods else None
        found = [] if group is None else [_id(group)]
        return (*found, *map(_id, self.security.each("supplementalGroups")))


def _profiles(container: Node, whole: Node | None) -> Iterator[str]:
    """Yield the profiles of the node that a container needs."""
    own = container.get("securityContext")
    for name, words in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        found = own.get(name) if own is not None else None
        found = found if found is not None or whole is None else whole.get(name)
        if found is not None and found.string("type") == "Localhost":
            yield f"the {words} profile {found.string('localhostProfile')} of the node"


def _container_security(own: Node, fields: list[Field]) -> dict[str, object]:
    """The settings that only a container has."""
    values: dict[str, object] = {}
    if (closed := own.get("readOnlyRootFilesystem")) is not None:
        values["read_only"] = closed.as_flag()
        fields.append(Field(name="readOnlyRootFilesystem", place=closed.place))
    if (more := own.get("allowPrivilegeEscalation")) is not None and not more.as_flag():
        values["no_new_privileges"] = True
        fields.append(Field(name="allowPrivilegeEscalation", place=more.place))
    capabilities = own.get("capabilities")
    if capabilities is not None:
        fields.append(Field(name="capabilities", place=capabilities.place))
        values["cap_add"] = tuple(one.as_text() for one in capabilities.each("add"))
        values["cap_drop"] = tuple(one.as_text() for one in capabilities.each("drop"))
    if (privileged := own.get("privileged")) is not None and privileged.as_flag():
        fields.append(Field(name="privileged", place=privileged.place))
        values |= {"cap_add": ("ALL",), "cap_drop": ()}
    return values


def _id(node: Node) -> int:
    number = node.as_number()
    if not 0 <= number <= _MOST_ID:
        raise malformed(node.place, f"{number} is no id: it must be between 0 and {_MOST_ID}")
    return number


class _Environment:
    """The variables of one container: `values` by name as far as they are known, `entries` for the start."""

    def __init__(self, given: Given, pod: PodText, *, expands: bool) -> None:
        self.given = given
        self.expands = expands
        self.pod = pod
        self.values: dict[str, str] = {}
        self.static: dict[str, str] = {}
        self.needs: list[str] = []
        self.unknown: set[str] = set()
        self.unknown_sources: list[str] = []

    @property
    def entries(self) -> list[str]:
        """`NAME=value` of what is known."""
        return [f"{name}={value}" for name, value in self.values.items()]

    def read(self, container: Node) -> None:
        """Take envFrom and env in the kubelet's order."""
        for source in container.each("envFrom"):
            self._all_of(source)
        for entry in container.each("env"):
            self._one(entry)

    def _all_of(self, source: Node) -> None:
        prefix = source.string("prefix")
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            ref = source.get(field)
            if ref is None:
                continue
            name = ref.string("name")
            data = self.given.keys_of(kind, name)
            if data is None:
                what = f"the {kind} {name}"
                self.unknown_sources.append(what)
                if not _optional(ref):
                    self.needs.append(what)
                continue
            for key, value in data.items():
                if value is not None:
                    self._set(prefix + key, value)

    def _one(self, entry: Node) -> None:
        name = entry.string("name")
        value, source = entry.get("value"), entry.get("valueFrom")
        if value is not None or source is None:
            text = value.as_text() if value is not None else ""
            text = expand(text, self.values) if self.expands else text
            self._set(name, text)
            self.static[name] = text
            return
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            ref = source.get(field)
            if ref is not None:
                self._key(name, kind, ref)
                return
        field_ref = source.get("fieldRef")
        path = field_ref.string("fieldPath") if field_ref is not None else "a resource"
        meta = {"metadata.name": self.pod.pod_name, "metadata.namespace": self.pod.namespace}
        self._set(name, meta.get(path, f"<{path}>"))

    def _key(self, name: str, kind: str, ref: Node) -> None:
        key, of = ref.string("key"), ref.string("name")
        data = self.given.keys_of(kind, of)
        value = data.get(key) if data is not None else None
        if value is not None:
            self._set(name, value)
            return
        what = f"the {kind} {of} (key {key})"
        self.unknown.add(name)
        self.unknown_sources.append(what)
        if not _optional(ref):
            self.needs.append(what)

    def _set(self, name: str, value: str) -> None:
        self.values[name] = value


def _optional(ref: Node) -> bool:
    found = ref.get("optional")
    return found is not None and found.as_flag()
