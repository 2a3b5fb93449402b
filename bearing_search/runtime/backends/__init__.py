"""Programs that run an exported network; each is imported only where it is used."""
