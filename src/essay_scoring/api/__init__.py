"""The Python API: what `essay_scoring` exports besides the estimators of `scoring`."""
