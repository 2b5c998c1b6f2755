"""The versions of a path over all layers that an archive ships: their content, their lines, and how each differs."""
