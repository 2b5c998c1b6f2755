"""The six chapters of `explain`; `chapters` joins them, `context` is what they share."""
