"""The rules that decide the claims: one module a study, on what `prunelab.decisions` and `prunelab.stats` offer."""
