"""What jobs, spaces and notices have in common: an institution's offer, versioned, that opens, changes and closes."""
