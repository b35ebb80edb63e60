"""What starts a journey, one file each."""
