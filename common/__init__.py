"""The ground floor: what every package shares and that knows nothing of vehicles."""
