"""Floor 7: the same run somewhere else: preflight, detached start, status, fetch."""
