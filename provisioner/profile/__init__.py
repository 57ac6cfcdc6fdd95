"""The profile: reading it, checking it, and the secrets that belong to it."""

from provisioner.profile.load import (
    FILE_NAME,
    ProfileReading,
    find_profile,
    load_profile,
    read_profile,
)
from provisioner.profile.model import Profile
from provisioner.profile.problem import InvalidProfile, Problem, Severity, list_problems

__all__ = [
    "FILE_NAME",
    "InvalidProfile",
    "Problem",
    "Profile",
    "ProfileReading",
    "Severity",
    "find_profile",
    "list_problems",
    "load_profile",
    "read_profile",
]
