"""Loading is the first judge: who takes an archive into a store, under which name and ID, or refuses it.

Internal: what is here may change in any version.  Public are `imagepeel`, `imagepeel.forge`, `imagepeel.results` and
`imagepeel.interop.fsspec`.
"""
