"""Kinds of steps, one file each: each answers for a batch of people, and writes nothing of the engine's."""
