"""Annotations are checked as pydantic checks them, without importing it."""

from __future__ import annotations
