"""Watchers: what is observed beside the chain, none of which may ever stop it."""
