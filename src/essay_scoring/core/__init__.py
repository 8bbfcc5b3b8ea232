"""Floor 1: the words of the domain. Imports nothing of the project."""
