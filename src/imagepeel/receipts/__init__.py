"""Plain shell commands that show the same fact without imagepeel, one for each kind of place."""
