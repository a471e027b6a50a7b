"""The command ``ebmtrack dataset``: check a dataset, and pack it."""
