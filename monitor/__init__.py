"""sqd-monitor: evaluates, stores, watches and serves what trainer_hooks push."""
