"""Files written whole, and disks that are full."""
