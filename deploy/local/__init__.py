"""The embedded stack: the whole product as child processes of one supervisor, on a machine with Python alone."""
