"""What happens to each person next: journey documents, the engine that moves people, and why they moved."""
