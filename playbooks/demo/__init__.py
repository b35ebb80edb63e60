"""How Cairn is shown: published behaviour, told through the front door as if it happened now."""
