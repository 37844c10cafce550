"""A pretended Windows: what POSIX has and Windows has not is taken away from processes that are started with it."""
