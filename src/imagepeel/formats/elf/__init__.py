"""ELF files as the kernel and the loaders read them: header, dynamic section, symbols.

Start with `file`; `header` is what the kernel looks at.
"""
