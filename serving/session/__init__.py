"""Running a loaded graph: sessions, threads, batch functions, limits."""
