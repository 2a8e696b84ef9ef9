"""Metrics as pure functions of arrays: identity, CLEAR, HOTA, the official CityFlow rules, re-id ranking."""
