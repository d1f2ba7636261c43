"""Notices: a public institution's own channel, straight to the residents concerned."""
