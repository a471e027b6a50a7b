"""What public bug reports of neighbouring tools found, as tests: commands from the outside."""
