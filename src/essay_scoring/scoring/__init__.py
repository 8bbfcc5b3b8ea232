"""A decided scorer fitted on all training essays, and new essays scored with it."""
