"""Checkpoints, devices and where things are on this machine."""
