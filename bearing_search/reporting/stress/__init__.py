"""What a stress set says about a setting, as tables and as a plot."""
