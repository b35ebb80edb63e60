"""Files of events and people, brought in row by row by the rules of live data, and never twice."""
