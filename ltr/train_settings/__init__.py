"""Train settings: one recipe value a file, and what turns a recipe into a run."""
