"""Spaces: 광산형 구독 오피스 – idle rooms, desks and seats in public buildings, used when and as much as needed."""
