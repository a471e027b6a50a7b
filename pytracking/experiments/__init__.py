"""Experiments by module and function name, for ``ebmtrack experiment``; a file of your own will do."""
