"""Schema migrations, run by `monitor.store.sql` when a store is opened."""
