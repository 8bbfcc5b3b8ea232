"""Floor 5: judging predictions. Never sees a model or a feature block."""
