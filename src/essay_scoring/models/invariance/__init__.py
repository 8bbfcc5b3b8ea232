"""Methods that ask of a representation that it say nothing of the prompt, or serve every prompt.

Each loss is a sum over essays, so that an optimiser step may be cut into parts. CORAL and V-REx are
not (they compare moments, and losses, between the groups of a batch), so they are left out.
"""
