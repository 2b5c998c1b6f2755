"""Programs that start another one (`env`, `tini`, `gosu`): what they do to argv, environment, user and directory."""
