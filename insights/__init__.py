"""How it goes: what the numbers of all the others say together."""
