"""Our trackers in the VOT toolkit: its Python tracker API, its folder protocol, TraX, and the set-up.

The toolkit is under the GPL-3. No module here imports it: it imports `python_tracker`, or talks to a
process of ours through files and pipes.
"""
