"""Where blocks come from: one file a source, all behind `base.BlockSource`."""
