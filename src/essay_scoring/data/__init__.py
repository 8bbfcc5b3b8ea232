"""Floor 2: which essays there are, and who is held out."""
