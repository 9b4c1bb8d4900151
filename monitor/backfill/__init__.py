"""Backfilling: the past of a chain at once, from any source, by any executor."""
