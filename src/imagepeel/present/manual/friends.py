"""Lesson 3: friends. What this image needs from build, deployment, networking, monitoring and troubleshooting."""

from __future__ import annotations

from imagepeel.archive.knowledge import ImagePart
from imagepeel.present.document import Block, code, path, value
from imagepeel.present.manual.facts import Answer, Operator, question
from imagepeel.text import joined, listed, number, percent, plural, size

_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)
"""Where Go, OpenSSL and curl look for certificate authorities, on Debian, Fedora, Alpine and SUSE."""

_SHELLS = ("/bin/bash", "/bin/sh", "/busybox/sh", "/usr/bin/bash")
_TOOLS = ("ls", "ps", "curl", "wget", "ip", "ss", "nc", "strace", "gdb")
_FOLDERS = ("/bin", "/usr/bin", "/sbin", "/usr/sbin", "/busybox", "/usr/local/bin")


def chapter(operator: Operator) -> list[Block]:
    """Return the blocks of the chapter."""
    return [
        *_build(operator),
        *_deployment(operator),
        *_network(operator),
        *_monitoring(operator),
        *_troubleshooting(operator),
    ]


def _build(operator: Operator) -> list[Block]:
    blocks: list[Block] = [question("Build", "Who makes it smaller, and can say what is in it?")]
    waste = operator.waste
    known = operator.known
    if not known.layers:
        blocks.append(operator.unseen("build", "How much of what it ships can be seen"))
    elif waste is not None and waste.files:
        answer: Answer = "yes" if waste.efficiency >= 0.95 else "depends" if waste.efficiency >= 0.75 else "no"
        blocks.append(
            operator.answer(
                "build",
                answer,
                f"{percent(waste.efficiency)} of the file bytes that it ships can be seen: ",
                value(number(waste.visible)),
                " of ",
                value(number(waste.files)),
                ".",
                by=operator.by_listing(),
            )
        )
    config = operator.image.config
    steps = sum(1 for layer in operator.image.layers if layer.step is not None)
    if (not known.whole and steps < len(operator.image.layers)) or not known.config or not known.every_layer:
        blocks.append(operator.unseen("build", "Which step made which layer"))
    elif config.history is not None and steps == len(operator.image.layers):
        blocks.append(
            operator.answer(
                "build",
                "yes",
                f"History names the step of every layer ({plural(len(config.history), 'step')}).",
                by=operator.by_config("/history"),
            )
        )
    else:
        blocks.append(
            operator.answer(
                "build", "no", "History does not tell which step made which layer.", by=operator.by_config("/history")
            )
        )
    blocks += operator.told("build", "depends", operator.findings_of("BUILD-DEBRIS", "ONBUILD"))
    return blocks


def _deployment(operator: Operator) -> list[Block]:
    image = operator.image
    stored = sum(layer.blob_size for layer in image.layers)
    blocks: list[Block] = [question("Deployment", "What is pulled, and what has to be set?")]
    sized = all(layer.readable or layer.record.declared_size is not None for layer in image.layers)
    sized = sized and len(image.config.diff_ids) <= len(image.layers)
    if not operator.known.layer_list:
        return [*blocks, operator.unseen("deployment", "What a node pulls")]
    blocks.append(
        operator.answer(
            "deployment",
            "fact",
            f"A node pulls {'up to' if sized else 'more than'} {size(stored)} in {plural(len(image.layers), 'layer')}.",
            by=operator.by_listing(),
        )
    )
    env = [entry.partition("=")[0] for entry in operator.run.env or () if not entry.startswith("PATH=")]
    if env:
        blocks.append(
            operator.answer(
                "deployment",
                "fact",
                "It sets ",
                code(listed(env)),
                ": these are the knobs it shows.",
                by=operator.by_config("/config/Env"),
            )
        )
    names = image.names
    latest = [name for name in names if name.endswith(":latest")]
    if not names:
        what = "It has no name: only its digest says which version runs."
        blocks.append(operator.answer("deployment", "depends", what, by=operator.by_listing()))
    elif latest:
        what = f"{latest[0]} is a moving name: deploy by digest to know what runs."
        blocks.append(operator.answer("deployment", "depends", what, by=operator.by_listing()))
    return blocks


def _network(operator: Operator) -> list[Block]:
    run = operator.run
    blocks: list[Block] = [question("Networking", "Which ports, as whom, trusting whom?")]
    if run.exposed_ports:
        blocks.append(
            operator.answer(
                "network",
                "fact",
                "It says that it listens on ",
                value(joined(sorted(run.exposed_ports))),
                ". EXPOSE opens nothing: publish or route it.",
                by=operator.by_config("/config/ExposedPorts"),
            )
        )
    elif not operator.known.config:
        blocks.append(operator.unseen("network", "Which ports it names", ImagePart.MANIFEST, ImagePart.CONFIG))
    else:
        what = "It names no port. Ask its makers whether anything has to reach it."
        blocks.append(operator.answer("network", "unknown", what, by=operator.by_config("/config/ExposedPorts")))
    blocks += operator.told("network", "depends", operator.findings_of("PRIVILEGED-PORT"))
    if operator.foreign:
        return blocks
    bundle = next((place for place in _CERTIFICATES if operator.node(place) is not None), None)
    if not operator.known.layers:
        what = "Whether it has a list of certificate authorities"
        blocks.append(operator.unseen("network", what, ImagePart.MANIFEST, ImagePart.LAYER))
    elif bundle is not None:
        what = " is there: programs can check who they talk to."
        blocks.append(operator.answer("network", "yes", path(bundle), what, by=operator.by_path(bundle)))
    else:
        blocks.append(
            operator.answer(
                "network",
                "depends",
                "No list of certificate authorities is in it: a program that brings none of its own cannot check "
                "a TLS certificate.",
                by=operator.by_listing(),
            )
        )
    return blocks


def _monitoring(operator: Operator) -> list[Block]:
    blocks: list[Block] = [question("Monitoring", "How does anybody know that it works?")]
    check = operator.run.healthcheck
    broken = operator.findings_of("HEALTHCHECK-CANNOT-RUN", "HEALTHCHECK-LOST")
    if not operator.known.everything:
        blocks.append(operator.unseen("monitored", "How its health shows"))
        return blocks
    if check is not None and check.test and check.test != ("NONE",) and not broken:
        blocks.append(
            operator.answer(
                "monitored",
                "yes",
                "Docker asks it with ",
                code(" ".join(check.test[1:] or check.test)),
                ". Kubernetes ignores that: it needs probes of its own.",
                by=operator.by_config("/config/Healthcheck"),
            )
        )
    blocks += operator.told("monitored", "no", broken)
    if check is None and not broken:
        what = "It has no health check: running is all that an engine can see."
        blocks.append(operator.answer("monitored", "no", what, by=operator.by_config("/config/Healthcheck")))
    logs = operator.findings_of("LOG-LINK")
    blocks += operator.told("monitored", "depends", logs)
    links = _logs_to_output(operator)
    if links and not logs:
        what = " leads to the output of the container: docker logs and kubectl logs show it."
        blocks.append(operator.answer("monitored", "yes", path(links[0]), what, by=operator.by_path(links[0])))
    return blocks


def _logs_to_output(operator: Operator) -> list[str]:
    """Log files that are links to the standard output or error."""
    rootfs = operator.image.rootfs
    if rootfs.resolve("/var/log").node is None:
        return []
    out = []
    for place, node in rootfs.walk("/var/log"):
        if node.is_symlink and node.target in (b"/dev/stdout", b"/dev/stderr", b"/proc/1/fd/1", b"/proc/self/fd/1"):
            out.append(place.decode("utf-8", "surrogateescape"))
    return out


def _troubleshooting(operator: Operator) -> list[Block]:
    blocks: list[Block] = [question("Troubleshooting", "What can one do inside, when it misbehaves?")]
    if operator.foreign:
        what = "Whether there is a shell is not looked for: it is no image for Linux."
        return [*blocks, operator.answer("debuggable", "unknown", what, by=operator.by_config("/os"))]
    if not operator.known.layers:
        what = "Whether there is a shell"
        return [*blocks, operator.unseen("debuggable", what, ImagePart.MANIFEST, ImagePart.LAYER)]
    shell = next((place for place in _SHELLS if (node := operator.node(place)) is not None and node.is_file), None)
    if shell is None:
        blocks.append(
            operator.answer(
                "debuggable",
                "no",
                "There is no shell: docker exec has nothing to run. Attach a container with tools instead (",
                code("kubectl debug --target"),
                ", ",
                code("docker run --pid container:ID"),
                ").",
                by=operator.by_listing(),
            )
        )
        return blocks
    tools = [tool for tool in _TOOLS if any(operator.node(f"{folder}/{tool}") is not None for folder in _FOLDERS)]
    says = f", with {joined(tools)}." if tools else ", and none of the usual tools."
    blocks.append(
        operator.answer(
            "debuggable",
            "yes" if tools else "depends",
            "There is a shell, ",
            path(shell),
            says,
            by=operator.by_path(shell),
        )
    )
    return blocks
