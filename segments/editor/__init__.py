"""The builder: staff who have never seen a definition make and change segments in words."""
