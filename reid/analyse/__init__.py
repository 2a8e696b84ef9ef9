"""Analyses of trained networks: the paper's figures (PNG) and tables (CSV) for your own weights."""
