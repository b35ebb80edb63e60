"""What may hold a message back, one file each, asked in order."""
