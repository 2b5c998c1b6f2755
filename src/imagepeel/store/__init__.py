"""The only code that opens things: sources of bytes, decompression, archive kinds, choice of an image."""
