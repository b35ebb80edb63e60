"""What several templates say alike: a row of blocks with a name, which they include."""
