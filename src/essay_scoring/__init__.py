"""Essay scoring that must hold up on writing prompts it has never seen."""

__version__ = "0.1.0"
