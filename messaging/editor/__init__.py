"""How staff write templates: the blocks as forms, and what one sees and hears of them while writing."""
