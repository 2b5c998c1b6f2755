"""What engines and runtimes do before the kernel is asked: environment, user, directory, lookup, mounts, texts.

One file an engine (`docker`, `containerd`, `kubernetes`, `podman`, `by_hand`) and a runtime (`runc`, `crun`), and one
line each in `registry`; `engine` and `runtime` say what may differ, and the rest asks them.
"""
