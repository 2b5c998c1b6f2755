"""One module a level, in the order of the course."""
