"""The command's start: whose files are loaded is settled here, before any of them is.

Only the standard library is imported, and no module of `ebm`, `ltr` or `pytracking`: other projects have
packages of these names, and where theirs are found first, this one still works and says so.
"""
