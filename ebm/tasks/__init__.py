"""Studies and recipes of single tasks; they use the library, never each other."""
