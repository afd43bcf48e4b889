"""A report as JUnit XML, one test case a check, for a CI to show."""

from __future__ import annotations

from xml.etree import ElementTree

from lossgen.verify.verdict import Check, Report, number


def junit(report: Report, *, strict: bool = False) -> str:
    """The report's checks as a test suite."""
    checks = report.checks
    if report.verdict == "cannot be asked":
        checks += (Check("asked", "fails", report.reason),)
    bad = {"fails"} | ({"inaccurate", "warns"} if strict else set())
    suite = ElementTree.Element(
        "testsuite",
        name=f"lossgen verify {report.target} against {report.formula}",
        tests=str(len(checks)),
        failures=str(sum(c.status in bad for c in checks)),
        errors="0",
        skipped=str(sum(c.status == "skipped" for c in checks)),
        time=f"{report.seconds:.3f}",
    )
    for check in checks:
        case = ElementTree.SubElement(
            suite, "testcase", classname=report.target, name=check.name, time=f"{check.seconds:.3f}"
        )
        if check.status in bad:
            failure = ElementTree.SubElement(case, "failure", message=_message(check, report))
            failure.text = str(report)
        elif check.status == "skipped":
            ElementTree.SubElement(case, "skipped", message=check.detail)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _message(check: Check, report: Report) -> str:
    if check.differences:
        d = check.differences[0]
        return f"{d.what}: expected {number(d.want)}, got {number(d.got)}"
    return check.detail or report.reason
