"""Where journeys are drawn: edits, revisions and merging of drafts, and the screens on them."""
