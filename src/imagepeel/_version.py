"""The version, for everything below the package that says which one wrote a document."""

__version__ = "0.1.0"
