"""Small layers that several networks share."""
