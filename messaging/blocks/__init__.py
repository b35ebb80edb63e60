"""What a message is built of, one file each."""
