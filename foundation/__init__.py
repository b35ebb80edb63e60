"""What two apps need that is about neither people nor messages: the clock, named SQL, families, wake-ups, refusals."""
