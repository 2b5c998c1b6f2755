"""The only code that writes parts of an image to disk, always because it was asked to."""
