"""The rendered demo data set."""
