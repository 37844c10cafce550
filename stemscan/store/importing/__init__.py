"""Data measured or acquired elsewhere, and how they become stores."""
