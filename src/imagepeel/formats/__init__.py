"""Pure byte formats: bytes in, values out, no I/O.  Each module is one format and names the rules it follows."""
