"""Files written whole, digests of what they hold, and disks that are full."""
