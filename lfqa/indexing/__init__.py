"""Building, finding and checking indexes."""
