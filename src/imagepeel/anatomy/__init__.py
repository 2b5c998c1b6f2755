"""Every byte of an archive and of a layer accounted for, and the headers of one entry byte by byte."""
