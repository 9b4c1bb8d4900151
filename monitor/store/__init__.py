"""What the agent keeps: one SQLAlchemy Core store for SQLite and PostgreSQL."""
