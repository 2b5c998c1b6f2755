"""The family `loading`: what keeps an archive out of an engine's store."""
