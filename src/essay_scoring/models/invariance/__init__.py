"""Methods that ask of a representation that it say nothing of the prompt, or serve every prompt."""
