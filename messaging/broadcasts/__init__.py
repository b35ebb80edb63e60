"""One message to all people of a segment, once: the audience fixed at the start, and gone on with from rows alone."""
