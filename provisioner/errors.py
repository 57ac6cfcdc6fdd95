"""The one tree of errors, and the exit code that each kind of error gives.

An error says what happened (``message``), the third party's own words where there are any
(``details``), and what to do about it (``hint``). ``cli`` is the only place that prints one and exits.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the ``sovstack`` command tells its caller."""

    DONE = 0
    INTERNAL = 1
    CHANGES_PENDING = 2
    PROFILE_INVALID = 3
    HOST_FAILED = 4
    UNREACHABLE = 5
    VERIFICATION_FAILED = 6
    RELEASE_NOT_TRUSTED = 7
    USAGE = 64
    UNAVAILABLE = 69
    BUSY = 75
    INTERRUPTED = 130


class ProvisionerError(Exception):
    """Root of everything that sovstack raises on purpose.

    Args:
        message: What happened, and where, in one sentence.
        details: What another program said about it, unedited.
        hint: What the reader can do next.
    """

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, *, details: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.hint = hint


class ProfileError(ProvisionerError):
    """The profile cannot be read, or says something that cannot be done."""

    exit_code = ExitCode.PROFILE_INVALID


class HostFailed(ProvisionerError):
    """A task failed on a host; the host answers, and ``apply`` can be run again."""

    exit_code = ExitCode.HOST_FAILED


class HostUnreachable(ProvisionerError):
    """A host does not answer, refuses the log-in, or shows another key than the recorded one."""

    exit_code = ExitCode.UNREACHABLE


class VerificationFailed(ProvisionerError):
    """The deployment was reached, and at least one check says that it is not as promised."""

    exit_code = ExitCode.VERIFICATION_FAILED


class ReleaseNotTrusted(ProvisionerError):
    """A release archive is missing, damaged, unsigned or not the one that was asked for."""

    exit_code = ExitCode.RELEASE_NOT_TRUSTED


class UsageError(ProvisionerError):
    """The command line asks for something that does not exist or cannot be combined."""

    exit_code = ExitCode.USAGE


class Unavailable(ProvisionerError):
    """This computer lacks a program, a right or a resource that the command needs."""

    exit_code = ExitCode.UNAVAILABLE


class Busy(ProvisionerError):
    """Another run holds the lock of this deployment or lab."""

    exit_code = ExitCode.BUSY


class Interrupted(ProvisionerError):
    """The run was stopped by Ctrl-C or a signal; what was begun may be half done."""

    exit_code = ExitCode.INTERRUPTED
