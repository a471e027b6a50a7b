"""The screen of a run: a web page of this machine on which targets are drawn and tracking is watched."""
