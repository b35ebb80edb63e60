"""How fast it is, told as ratios to what the machine can do. `make bench` runs them."""
