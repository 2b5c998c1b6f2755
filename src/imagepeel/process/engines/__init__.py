"""What engines and runtimes do before the kernel is asked: environment, user, directory, lookup, mounts, texts."""
