"""Real parts that the tests share."""
