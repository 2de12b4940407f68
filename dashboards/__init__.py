"""Shows: tables, figures and pages made from what storage remembers."""
