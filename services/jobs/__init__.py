"""Jobs: 광산시민수당 and 틈새 연결 – paid, socially useful work, posted by institutions."""
