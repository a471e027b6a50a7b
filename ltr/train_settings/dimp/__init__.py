"""Train settings of the DiMP family."""
