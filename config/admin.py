"""The admin's frame."""
