"""What layers do to entries and to each other, and where views of one image differ."""
