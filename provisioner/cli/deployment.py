"""The verbs that touch a deployment's hosts: plan, apply, verify, status, report, destroy."""

from __future__ import annotations
