"""People who get no marketing for a while, by chance and all alike, so that we learn what marketing does."""
