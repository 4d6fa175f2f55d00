"""The composers: one module a study, a few verbs that the notebooks call."""
