"""ELF files: `header` is what the kernel looks at, `file` what the dynamic loader reads, `symbols` what binds them."""
