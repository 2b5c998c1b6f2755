"""Which type the `--json` of each command has: one line a command."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from imagepeel.errors import NotFound

TYPES: dict[str, str] = {
    "explain": "imagepeel.present.document:Story",
    "quiz": "imagepeel.present.quiz:Quiz",
    "report": "imagepeel.results.report:ReportResult",
    "layers": "imagepeel.results.layers:LayersResult",
    "images": "imagepeel.results.images:ImagesResult",
    "ls": "imagepeel.results.listing:ListingLine",
    "tree": "imagepeel.results.listing:ListingLine",
    "find": "imagepeel.results.listing:FindLine",
    "du": "imagepeel.results.du:DuResult",
    "diff": "imagepeel.results.diff:DiffResult",
    "cache": "imagepeel.results.cache:CacheResult",
    "trace": "imagepeel.results.trace:TraceResult",
    "blame": "imagepeel.results.blame:BlameResult",
    "log": "imagepeel.results.log:LogResult",
    "views": "imagepeel.results.views:ViewsResult",
    "wtf": "imagepeel.results.findings:WtfOutput",
    "check": "imagepeel.results.check:CheckOutput",
    "operate": "imagepeel.present.document:Story",
    "anatomy": "imagepeel.results.anatomy:AnatomyResult",
    "slim": "imagepeel.results.slim:SlimResult",
    "waste": "imagepeel.results.waste:WasteResult",
    "packages": "imagepeel.results.packages:PackagesResult",
    "loadable": "imagepeel.results.loadable:LoadableResult",
    "process": "imagepeel.results.process:ProcessOutput",
    "start": "imagepeel.results.start:StartResult",
    "why": "imagepeel.results.why:WhyResult",
    "bundle": "imagepeel.export.bundle:WrittenBundle",
    "forge": "imagepeel.results.forge:ForgeOutput",
    "judge": "imagepeel.judge.verdict:JudgeResult",
    "version": "imagepeel.results.version:VersionResult",
    "dockerfile": "imagepeel.history.dockerfile:RebuiltDockerfile",
    "survey": "imagepeel.results.survey:SurveyResult",
    "lineage": "imagepeel.results.lineage:LineageResult",
    "flatten": "imagepeel.export.flatten:FlattenReport",
    "extract": "imagepeel.export.report:ExtractReport",
}
"""Command -> where the type of its `--json` is (`module:name`); of a listing, that of each line."""


def result_type(command: str) -> Any:
    """Return the type of a command's `--json`.  NotFound for a command without one."""
    if command not in TYPES:
        raise NotFound(f"no command with --json is called {command!r}", hint="there are: " + ", ".join(TYPES))
    module, _, name = TYPES[command].partition(":")
    return getattr(import_module(module), name)
