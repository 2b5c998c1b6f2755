"""The kernel's execve, round by round: permission, shebang lines, the loader that an ELF file names."""
