"""What commands write with `--json`, as types; `imagepeel.Image` returns the same values.

    result = image.diff(other)                 # a DiffResult
    msgspec.json.encode(result)                # as `imagepeel diff --json` has it below "result"
    results.result_type("diff")                # DiffResult, of which the JSON Schema is made

All are frozen values that compare by content.  Conventions: sizes are bytes, `layer` counts from 0 and `label` from L1,
`entry` is the index of a tar member in its layer, and a name that is not UTF-8 stands readable in `path` and exact, in
base64, in the field that ends in `_b64`.  Each type says what its fields hold and how its lists are sorted.  Fields may
be added within a major version, never changed.  The functions that fill the types stand beside them and are internal.

Names load on first use.
"""

from __future__ import annotations

from imagepeel._lazy import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    # What static tools read; a test holds it to `_HOMES`, which is what Python reads.
    from typing import Any

    from imagepeel.export.bundle import WrittenBundle as WrittenBundle
    from imagepeel.export.flatten import FlattenReport as FlattenReport
    from imagepeel.export.report import ExtractReport as ExtractReport
    from imagepeel.export.report import Omission as Omission
    from imagepeel.findings.budget import Spent as Spent
    from imagepeel.findings.growth import StepGrowth as StepGrowth
    from imagepeel.findings.slim import SlimStep as SlimStep
    from imagepeel.findings.suppress import Suppression as Suppression
    from imagepeel.history.dockerfile import Instruction as Instruction
    from imagepeel.history.dockerfile import RebuiltDockerfile as RebuiltDockerfile
    from imagepeel.layers.layer import LayerCheck as LayerCheck
    from imagepeel.loading.answer import LoadAnswer as LoadAnswer
    from imagepeel.packages.inventory import Package as Package
    from imagepeel.packages.inventory import PackageDatabase as PackageDatabase
    from imagepeel.packages.inventory import PackageDoubt as PackageDoubt
    from imagepeel.packages.inventory import PackageEvent as PackageEvent
    from imagepeel.packages.inventory import UnclaimedFile as UnclaimedFile
    from imagepeel.packages.sbom import SbomComparison as SbomComparison
    from imagepeel.packages.sbom import SbomPackage as SbomPackage
    from imagepeel.results.blame import BlameLine as BlameLine
    from imagepeel.results.blame import BlameResult as BlameResult
    from imagepeel.results.blame import GoneLine as GoneLine
    from imagepeel.results.cache import CacheResult as CacheResult
    from imagepeel.results.check import CheckOutcome as CheckOutcome
    from imagepeel.results.check import CheckRun as CheckRun
    from imagepeel.results.check import NotChecked as NotChecked
    from imagepeel.results.check import SuppressedFinding as SuppressedFinding
    from imagepeel.results.diff import DiffNode as DiffNode
    from imagepeel.results.diff import DiffPath as DiffPath
    from imagepeel.results.diff import DiffResult as DiffResult
    from imagepeel.results.difference import LayerMatch as LayerMatch
    from imagepeel.results.difference import LayersDifference as LayersDifference
    from imagepeel.results.difference import ValueChange as ValueChange
    from imagepeel.results.du import DuDirectory as DuDirectory
    from imagepeel.results.du import DuFile as DuFile
    from imagepeel.results.du import DuLayer as DuLayer
    from imagepeel.results.du import DuResult as DuResult
    from imagepeel.results.findings import FindingResult as FindingResult
    from imagepeel.results.findings import RuleListResult as RuleListResult
    from imagepeel.results.findings import RuleResult as RuleResult
    from imagepeel.results.findings import WtfResult as WtfResult
    from imagepeel.results.forge import ForgeList as ForgeList
    from imagepeel.results.forge import ForgeName as ForgeName
    from imagepeel.results.forge import ForgeResult as ForgeResult
    from imagepeel.results.head import ImageHead as ImageHead
    from imagepeel.results.head import LayerHead as LayerHead
    from imagepeel.results.head import NodeHead as NodeHead
    from imagepeel.results.images import ImageRow as ImageRow
    from imagepeel.results.images import ImagesResult as ImagesResult
    from imagepeel.results.layers import LayerRow as LayerRow
    from imagepeel.results.layers import LayersResult as LayersResult
    from imagepeel.results.lineage import LineageImage as LineageImage
    from imagepeel.results.lineage import LineageNode as LineageNode
    from imagepeel.results.lineage import LineageResult as LineageResult
    from imagepeel.results.lineage import LineageUnknown as LineageUnknown
    from imagepeel.results.lineage import SourceFailure as SourceFailure
    from imagepeel.results.listing import FindEntry as FindEntry
    from imagepeel.results.listing import FindHeader as FindHeader
    from imagepeel.results.listing import ListingEntry as ListingEntry
    from imagepeel.results.listing import ListingHeader as ListingHeader
    from imagepeel.results.loadable import LoadableImage as LoadableImage
    from imagepeel.results.loadable import LoadableResult as LoadableResult
    from imagepeel.results.log import LogResult as LogResult
    from imagepeel.results.log import PathVersion as PathVersion
    from imagepeel.results.package_changes import PackageChange as PackageChange
    from imagepeel.results.package_changes import PackagesDifference as PackagesDifference
    from imagepeel.results.packages import PackageLayer as PackageLayer
    from imagepeel.results.packages import PackagesResult as PackagesResult
    from imagepeel.results.process import MatrixCell as MatrixCell
    from imagepeel.results.process import MatrixResult as MatrixResult
    from imagepeel.results.process import ProcessResult as ProcessResult
    from imagepeel.results.registry import result_type as result_type
    from imagepeel.results.slim import SlimResult as SlimResult
    from imagepeel.results.start import StartResult as StartResult
    from imagepeel.results.survey import CauseBytes as CauseBytes
    from imagepeel.results.survey import EngineStarts as EngineStarts
    from imagepeel.results.survey import FailureCount as FailureCount
    from imagepeel.results.survey import FileSharing as FileSharing
    from imagepeel.results.survey import LayerSharing as LayerSharing
    from imagepeel.results.survey import RuleCount as RuleCount
    from imagepeel.results.survey import Share as Share
    from imagepeel.results.survey import SurveyResult as SurveyResult
    from imagepeel.results.trace import EventResult as EventResult
    from imagepeel.results.trace import LifeResult as LifeResult
    from imagepeel.results.trace import NodeResult as NodeResult
    from imagepeel.results.trace import TraceResult as TraceResult
    from imagepeel.results.version import VersionResult as VersionResult
    from imagepeel.results.views import ViewsResult as ViewsResult
    from imagepeel.results.waste import WasteAccount as WasteAccount
    from imagepeel.results.waste import WasteCause as WasteCause
    from imagepeel.results.waste import WasteLayerRow as WasteLayerRow
    from imagepeel.results.waste import WasteResult as WasteResult
    from imagepeel.results.why import WhyCause as WhyCause
    from imagepeel.results.why import WhyProof as WhyProof
    from imagepeel.results.why import WhyReading as WhyReading
    from imagepeel.results.why import WhyResult as WhyResult
    from imagepeel.versions.changes import Difference as Difference
    from imagepeel.versions.content import Content as Content
    from imagepeel.versions.content import ElfBrief as ElfBrief

_HOMES = {
    "LayerCheck": "imagepeel.layers.layer",
    "BlameLine": "imagepeel.results.blame",
    "BlameResult": "imagepeel.results.blame",
    "GoneLine": "imagepeel.results.blame",
    "LogResult": "imagepeel.results.log",
    "PathVersion": "imagepeel.results.log",
    "Content": "imagepeel.versions.content",
    "ElfBrief": "imagepeel.versions.content",
    "Difference": "imagepeel.versions.changes",
    "CheckOutcome": "imagepeel.results.check",
    "CheckRun": "imagepeel.results.check",
    "NotChecked": "imagepeel.results.check",
    "SuppressedFinding": "imagepeel.results.check",
    "DiffNode": "imagepeel.results.diff",
    "DiffPath": "imagepeel.results.diff",
    "DiffResult": "imagepeel.results.diff",
    "LayerMatch": "imagepeel.results.difference",
    "LayersDifference": "imagepeel.results.difference",
    "ValueChange": "imagepeel.results.difference",
    "DuDirectory": "imagepeel.results.du",
    "DuFile": "imagepeel.results.du",
    "DuLayer": "imagepeel.results.du",
    "DuResult": "imagepeel.results.du",
    "FindingResult": "imagepeel.results.findings",
    "RuleListResult": "imagepeel.results.findings",
    "RuleResult": "imagepeel.results.findings",
    "WtfResult": "imagepeel.results.findings",
    "ImageRow": "imagepeel.results.images",
    "ImagesResult": "imagepeel.results.images",
    "LayerRow": "imagepeel.results.layers",
    "LayersResult": "imagepeel.results.layers",
    "LoadAnswer": "imagepeel.loading.answer",
    "LoadableImage": "imagepeel.results.loadable",
    "LoadableResult": "imagepeel.results.loadable",
    "Package": "imagepeel.packages.inventory",
    "PackageDatabase": "imagepeel.packages.inventory",
    "PackageDoubt": "imagepeel.packages.inventory",
    "PackageEvent": "imagepeel.packages.inventory",
    "UnclaimedFile": "imagepeel.packages.inventory",
    "PackageChange": "imagepeel.results.package_changes",
    "PackagesDifference": "imagepeel.results.package_changes",
    "SbomComparison": "imagepeel.packages.sbom",
    "SbomPackage": "imagepeel.packages.sbom",
    "PackageLayer": "imagepeel.results.packages",
    "PackagesResult": "imagepeel.results.packages",
    "MatrixCell": "imagepeel.results.process",
    "MatrixResult": "imagepeel.results.process",
    "ProcessResult": "imagepeel.results.process",
    "CacheResult": "imagepeel.results.cache",
    "FindEntry": "imagepeel.results.listing",
    "FindHeader": "imagepeel.results.listing",
    "ForgeList": "imagepeel.results.forge",
    "ForgeName": "imagepeel.results.forge",
    "ForgeResult": "imagepeel.results.forge",
    "ImageHead": "imagepeel.results.head",
    "LayerHead": "imagepeel.results.head",
    "NodeHead": "imagepeel.results.head",
    "ListingEntry": "imagepeel.results.listing",
    "ListingHeader": "imagepeel.results.listing",
    "VersionResult": "imagepeel.results.version",
    "result_type": "imagepeel.results.registry",
    "StartResult": "imagepeel.results.start",
    "LineageImage": "imagepeel.results.lineage",
    "LineageNode": "imagepeel.results.lineage",
    "LineageResult": "imagepeel.results.lineage",
    "LineageUnknown": "imagepeel.results.lineage",
    "SourceFailure": "imagepeel.results.lineage",
    "CauseBytes": "imagepeel.results.survey",
    "EngineStarts": "imagepeel.results.survey",
    "FailureCount": "imagepeel.results.survey",
    "FileSharing": "imagepeel.results.survey",
    "LayerSharing": "imagepeel.results.survey",
    "RuleCount": "imagepeel.results.survey",
    "Share": "imagepeel.results.survey",
    "SurveyResult": "imagepeel.results.survey",
    "EventResult": "imagepeel.results.trace",
    "LifeResult": "imagepeel.results.trace",
    "NodeResult": "imagepeel.results.trace",
    "TraceResult": "imagepeel.results.trace",
    "ViewsResult": "imagepeel.results.views",
    "SlimResult": "imagepeel.results.slim",
    "SlimStep": "imagepeel.findings.slim",
    "StepGrowth": "imagepeel.findings.growth",
    "Suppression": "imagepeel.findings.suppress",
    "Spent": "imagepeel.findings.budget",
    "WasteCause": "imagepeel.results.waste",
    "WasteLayerRow": "imagepeel.results.waste",
    "WasteAccount": "imagepeel.results.waste",
    "WasteResult": "imagepeel.results.waste",
    "WhyCause": "imagepeel.results.why",
    "WhyProof": "imagepeel.results.why",
    "WhyReading": "imagepeel.results.why",
    "WhyResult": "imagepeel.results.why",
    "Instruction": "imagepeel.history.dockerfile",
    "RebuiltDockerfile": "imagepeel.history.dockerfile",
    "ExtractReport": "imagepeel.export.report",
    "Omission": "imagepeel.export.report",
    "FlattenReport": "imagepeel.export.flatten",
    "WrittenBundle": "imagepeel.export.bundle",
}
"""Public name -> the module that has it."""

__all__ = [*sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    return load(globals(), name)


def __dir__() -> list[str]:
    return __all__
