"""What a journey must do for somebody made up: kept with it as tests, and played before each publishing."""
