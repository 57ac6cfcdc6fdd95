"""A report as JUnit XML, as CI systems read it: one test case per check, and one per failed task. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from provisioner.checks.result import Check, Verdict
from provisioner.reporting.report import Failure, RunReport
from provisioner.reporting.summary import not_evidence

# What XML 1.0 cannot hold, escaped or not (section 2.2).
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: RunReport) -> str:
    """Return the report as one XML document."""
    root = ET.Element(
        "testsuites", name=f"sovstack {report.verb} {report.deployment}", time=str(report.seconds)
    )
    _add_suite(
        root, "tasks", [_task_case(failure) for failure in report.failures] or [_run_case(report)], report
    )
    for target in dict.fromkeys(check.target for check in report.checks):
        cases = [_check_case(check) for check in report.checks if check.target == target]
        _add_suite(root, target, cases, report)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_suite(root: ET.Element, name: str, cases: Sequence[ET.Element], report: RunReport) -> None:
    suite = ET.SubElement(
        root,
        "testsuite",
        name=_clean(name),
        timestamp=report.started,
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=str(round(sum(float(case.get("time", "0")) for case in cases), 3)),
    )
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="run", value=report.run)
    if warning := not_evidence(report):
        ET.SubElement(properties, "property", name="not_evidence", value=warning)
    suite.extend(cases)


def _check_case(check: Check) -> ET.Element:
    case = _case(f"{check.id} {check.title}", f"{check.target}.{check.grade}", check.duration_seconds)
    said = "\n".join(filter(None, (check.actual, check.details, check.remedy and f"remedy: {check.remedy}")))
    if check.verdict is Verdict.FAIL:
        ET.SubElement(case, "failure", message=_clean(check.actual or check.title)).text = _clean(said)
    elif check.verdict is Verdict.NOT_ASSESSED:
        # An error, not a skip: what could not be looked at was not shown to be right.
        ET.SubElement(case, "error", message=_clean(f"not assessed: {check.actual}")).text = _clean(said)
    elif check.verdict is Verdict.WARN:
        ET.SubElement(case, "system-out").text = _clean(f"warning: {said}")
    return case


def _task_case(failure: Failure) -> ET.Element:
    case = _case(f"{failure.role} | {failure.task}", failure.host, 0.0)
    ET.SubElement(case, "failure", message=_clean(failure.message)).text = _clean(failure.output)
    return case


def _run_case(report: RunReport) -> ET.Element:
    case = _case(f"{report.verb} ends as it should", report.deployment, report.seconds)
    # A failed verification is told by its checks.
    if report.error and not report.checks:
        ET.SubElement(case, "error", message=_clean(report.error.message)).text = _clean(
            report.error.details or ""
        )
    return case


def _case(name: str, classname: str, seconds: float) -> ET.Element:
    return ET.Element("testcase", name=_clean(name), classname=_clean(classname), time=f"{seconds:.3f}")


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
