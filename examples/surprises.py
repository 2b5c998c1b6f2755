"""List what will surprise people about an image, worst first; exit code 1 for a finding of severity high.

python examples/surprises.py ARCHIVE [RULE...]
"""

import sys

import imagepeel


def main(path: str, *rules: str) -> int:
    with imagepeel.open(path) as archive:
        findings = archive.image().findings(select=rules)
    for finding in findings:
        print(f"{finding.severity:<8}{finding.rule}: {finding.message}")
    return 1 if any(finding.severity == "high" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
