"""The agent's own parts: who is asked, what is taken, who writes, what is measured beside it."""
