"""What the EBMTrack plugin mends in PyTracking's tracking; called by the marked blocks.

These files import torch and the standard library alone, nothing of PyTracking: they are imported while it
is. Any Python that PyTracking runs on can read them.
"""
