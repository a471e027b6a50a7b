"""`ebm.fit` beside its peers on many tables: a comparison, and a check of guaranteed intervals."""
