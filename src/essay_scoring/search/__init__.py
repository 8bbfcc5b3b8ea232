"""Hyperparameter search that selects by cross-validation and is honest about having selected."""
