"""Upgrades from versions that were released: their real operator, agents and chart, then ours."""
