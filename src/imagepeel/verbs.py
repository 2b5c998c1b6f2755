"""An image with its verbs: what it becomes, what is in it, how it came to be, and what leaves the archive."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import msgspec

from imagepeel.errors import PathNotFound, UsageError
from imagepeel.evidence import Location, Name, raw, text
from imagepeel.image import LayeredImage
from imagepeel.oci.config import ImageConfig
from imagepeel.process.spec.options import DEFAULT_ENGINE, ProcessOptions
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.export.flatten import FlattenReport
    from imagepeel.export.report import ExtractReport
    from imagepeel.findings.budget import Budget
    from imagepeel.findings.report import Findings
    from imagepeel.findings.slim import Slim
    from imagepeel.findings.waste import Waste
    from imagepeel.history.dockerfile import RebuiltDockerfile
    from imagepeel.loading.answer import LoadAnswer
    from imagepeel.present.document import Story
    from imagepeel.process.spec.values import Prediction
    from imagepeel.results.blame import BlameResult
    from imagepeel.results.diff import DiffResult
    from imagepeel.results.du import DuResult
    from imagepeel.results.log import LogResult
    from imagepeel.results.packages import PackagesResult
    from imagepeel.results.trace import TraceResult
    from imagepeel.results.views import ViewsResult
    from imagepeel.results.why import WhyResult
    from imagepeel.rootfs.provenance import PathHistory

_SMALL = 8 * 1024
_FEW = 500


def _config_of(image: LayeredImage) -> ImageConfig:
    """Its config, which in a notebook names the images of the archive that it is not of."""
    config = image.record.config if image.record.config is not None else ImageConfig()
    beside = image.not_examined
    return msgspec.structs.replace(config, not_examined=beside) if beside else config


class Image(LayeredImage):
    """An image for a container (or an exported filesystem, which is one without its paperwork).

    Its bytes are read on first need, all layers in one pass each; `archive` must still be open then.  What answers
    a question is imported when it is asked (start time).
    """

    @property
    def config(self) -> ImageConfig:
        """The image config; an empty one where it is missing or was lost at export (`record.lost` says so)."""
        return self.derived(_config_of)

    # ---- what it becomes ------------------------------------------------------------------------------------

    def process(
        self,
        options: ProcessOptions | None = None,
        *,
        engine: str = DEFAULT_ENGINE,
        runtime: str | None = None,
        host_arch: str | None = None,
        args: Sequence[str] | None = None,
        entrypoint: Sequence[str] | None = None,
        user: str | None = None,
        env: Sequence[str] = (),
        workdir: str | None = None,
        cap_add: Sequence[str] = (),
        cap_drop: Sequence[str] = (),
        no_new_privileges: bool | None = None,
        read_only: bool = False,
        volumes: Sequence[str] = (),
        tmpfs: Sequence[str] = (),
        elsewhere: Sequence[str] = (),
        run_as_group: int | None = None,
        groups: Sequence[int] = (),
        init: bool = False,
        tty: bool = False,
        hostname: str | None = None,
        stop_signal: str | None = None,
        supplemental_groups_policy: Literal["", "Merge", "Strict"] = "",
        user_namespace: bool = False,
        run_as_non_root: bool = False,
        rootless: bool = False,
    ) -> Prediction:
        """Predict the process that an engine starts from this image.

        Arguments: the fields of `ProcessOptions`, each by name, or one `ProcessOptions` for all of them.  `engine` is
        `NAME[@VERSION]` (docker, podman@5.8, k8s, ...), `runtime` the runtime below it; `host_arch` the machine as
        Go names it (amd64, arm64), by default the image's.  `args` replaces the command of the image, `entrypoint` its
        entrypoint and drops the command, `user`, `workdir`, `hostname` and `stop_signal` what the config says, and
        `env` adds `NAME=value`.  `cap_add` and `cap_drop` name capabilities, or ALL; `read_only` closes the root
        filesystem and `volumes` mounts over it, as `docker run -v` does; `tmpfs` mounts empty directories and
        `elsewhere` what no image tells (`PATH=WHAT`); `run_as_group` and `groups` are numbers of groups; `init` adds an
        init as process 1, `run_as_non_root` and `supplemental_groups_policy` ("Merge" or "Strict") are settings of
        Kubernetes, and `user_namespace` gives the container 65,536 ids of its own.  None means "not given".

        Returns the process with its steps in the order in which they happen, and the verdict, which is true only for
        RUNS.  UsageError for an unknown engine, runtime or machine, and for `options` beside other arguments.
        Source: the code of the named engine versions and of Linux (docs/reference/engines.md).
        """
        from imagepeel.process.image_prediction import predict_whole  # start time

        given = ProcessOptions(
            engine=engine,
            runtime=runtime,
            host_arch=host_arch,
            args=_words(args),
            entrypoint=_words(entrypoint),
            user=user,
            env=_words(env),
            workdir=workdir,
            cap_add=_words(cap_add),
            cap_drop=_words(cap_drop),
            no_new_privileges=no_new_privileges,
            read_only=read_only,
            volumes=_words(volumes),
            tmpfs=_words(tmpfs),
            elsewhere=_words(elsewhere),
            run_as_group=run_as_group,
            groups=tuple(groups),
            init=init,
            tty=tty,
            hostname=hostname,
            stop_signal=stop_signal,
            supplemental_groups_policy=supplemental_groups_policy,
            user_namespace=user_namespace,
            run_as_non_root=run_as_non_root,
            rootless=rootless,
        )
        if options is not None and given != ProcessOptions():
            raise UsageError("options are given twice", hint="put all of them into ProcessOptions, or none")
        found = predict_whole(self, options or given)
        beside = self.not_examined
        if not beside:
            return found
        verdict = msgspec.structs.replace(found.verdict, not_examined=beside)
        return msgspec.structs.replace(found, not_examined=beside, verdict=verdict)

    def why(self, text: str, *, engine: str = "") -> WhyResult:
        """Say what an error text, an exit code or a signal means, and which of its causes it is in this image.

        Arguments: `text` is what somebody read, with whatever stands around it; `engine` is NAME[@VERSION], by default
        all kinds of engines are asked.  UsageError for an unknown engine.
        Source: the start as `process` predicts it, held against the words of each judge.
        """
        from imagepeel.results.why import why_result  # start time

        return why_result(text, image=self, engine=engine)

    def loadable(self) -> tuple[LoadAnswer, ...]:
        """Say who takes this image into a store: docker load, podman load, ctr, nerdctl, kind, skopeo, buildah.

        Returns one answer a tool, in the order of docs/reference/loading.md: whether it takes the image, under which
        names and with which ID, or with which text it refuses, and whether that was measured or read.  An answer is
        true only where the tool takes the image.  LimitExceeded on bombs.
        """
        self.require_headers("the stores")
        from imagepeel.results.loadable import load_answers  # start time

        return load_answers(self)

    def findings(
        self, *, select: Sequence[str] = (), ignore: Sequence[str] = (), budget: Budget | None = None
    ) -> Findings:
        """Say what will surprise people about this image.

        Arguments: `select` and `ignore` name rules by id, code or lesson; without `select`, all rules are asked.
        `budget` sets limits that the rules of budgets look at (docs/reference/check.md).
        Returns a tuple of findings, worst first, each with its places and the commands that show them; secrets in them
        are masked.  UsageError for a name that is no rule.  Source: docs/reference/rules, one page a rule.
        """
        self.require_headers("findings")
        from imagepeel.findings.catalogue import select_rules  # start time
        from imagepeel.findings.examine import examine  # start time
        from imagepeel.findings.subject import Subject  # start time
        from imagepeel.receipts.proof import with_receipts  # start time

        subject = None if budget is None else Subject(self, budget)
        return with_receipts(examine(self, select_rules(select, ignore), subject=subject), self)

    def explain(self, chapters: Collection[int | str] | None = None) -> Story:
        """Return the story of this image, from the tarball to the process; `str()` of it is the text.

        Its chapters come in reading order; each claim has its evidence and the command that shows it.  `chapters` are
        the numbers (from 1) or ids of those that are wanted: None for all, () for the headline alone.  UsageError for
        a chapter that the story does not have.
        """
        self.require_headers("the chapters")
        from imagepeel.present.story.chapters import explain_image  # start time

        return explain_image(self, chapters=chapters)

    def operators_manual(self) -> Story:
        """Return The Container Operator's Manual for this image: strengths, weaknesses, friends, headcount, and the
        question whether it should run in production, each answer with its proof.
        """
        self.require_headers("the chapters")
        from imagepeel.present.manual.manual import operate_image  # start time

        return operate_image(self)

    def operations(self) -> Story:
        """The earlier name of `operators_manual`."""
        return self.operators_manual()

    # ---- what is inside -------------------------------------------------------------------------------------

    def waste(self, *, base: int | str = 0) -> Waste:
        """Account for every byte of the layers by cause: seen, unreachable, headers; the sums are exact.

        Arguments: `base` is how many layers belong to the base image, or text of the history step that is the first of
        one's own.  Sizes are bytes; the wasted files come largest first.  UsageError when no step has that text, or
        when there are fewer layers.
        """
        self.require_headers("the sums of waste")
        from imagepeel.findings.waste import account  # start time

        return msgspec.structs.replace(account(self, base=base), not_examined=self.not_examined)

    def slim(self, *, base: int | str = 0) -> Slim:
        """Plan how to make the image smaller: independent steps with exact savings that add up to what `waste` says.

        Argument: `base` is that of `waste`.  Sizes are bytes; the step that saves most comes first, with the lines of a
        Dockerfile that make it.  UsageError when no step has that text, or when there are fewer layers.
        """
        self.require_headers("the steps of slim")
        from imagepeel.findings.slim import plan  # start time

        return msgspec.structs.replace(plan(self, base=base), not_examined=self.not_examined)

    def packages(self, layer: int | None = None) -> PackagesResult:
        """Say which packages are here: what dpkg, apk, rpm, pip and npm recorded, joined with layers and bytes.

        Arguments: `layer` (an index from 0) limits it to the packages that this layer installed, changed or removed.
        Installed ones come first, each family sorted by name; packages that a later layer removed follow, with the
        bytes that are still shipped.  Nothing of the image is executed.  UsageError when there is no such layer.
        Source: the published formats of the databases (docs/reference/package-databases.md).
        """
        from imagepeel.results.packages import packages_result  # start time

        return packages_result(self, layer)

    def du(self, path: Name = "/", *, view: str = "runtime", depth: int = 1, files: int = 10) -> DuResult:
        """Say where the bytes are: by layer, by directory, shipped against visible.

        Arguments: `path` is where to look, `view` in which filesystem, `depth` how many levels of directories below it
        to tell apart, `files` how many of the largest files to name.  Sizes are bytes as the layers' tars store them,
        each hardlinked file once.  Layers come base first, directories in walk order, files largest first.
        PathNotFound when there is no such path, UsageError for an unknown view.
        """
        self.require_headers("the sums of du")
        from imagepeel.results.du import du_result  # start time

        return du_result(self, self.view(view), _absolute(path), depth=depth, files=files)

    def trace(self, path: Name, *, view: str = "runtime", follow: bool = True, receipts: bool = False) -> TraceResult:
        """Tell the life of a path: which layer added, changed, hid or removed it, base layer first.

        Arguments: `follow=False` stops at a link in the last part; `receipts` adds to each event the shell command that
        shows the tar member.  Links on the way come first, each with its own life.  PathNotFound when no layer has the
        path, UsageError for an unknown view.
        """
        from imagepeel.results.head import image_head  # start time
        from imagepeel.results.trace import trace_result  # start time
        from imagepeel.rootfs.provenance import history_of  # start time

        asked = text(path)
        found = history_of(self.view(view), _absolute(path), follow=follow)
        self._require_life(found, asked, view)
        return trace_result(self, image_head(self), asked, found, receipts)

    def _require_life(self, found: PathHistory, asked: str, view: str) -> None:
        """PathNotFound where no layer that is here has a path."""
        if found.resolution.node is None and not any(life.events for life in found.lives):
            if not self.knowledge.layers:
                self.view(view).lookup(_absolute(asked))
            raise PathNotFound(
                f"no layer of the image has {asked}",
                Location(path=asked),
                "list its directory with ls, or look for the name with find",
            )

    def blame(self, path: Name, *, view: str = "runtime", follow: bool = True, receipts: bool = False) -> BlameResult:
        """Say of each line of a file which layer and which step brought it.

        Arguments: `follow=False` stops at a link in the last part; `receipts` adds to each version the shell command
        that shows its tar member.  Lines are those of the last version that is a text, in file order and with secrets
        masked; versions come base layer first.  PathNotFound when no layer has the path, UsageError for an unknown
        view.  Source: the lines that versions have in common, as in diff(1).
        """
        from imagepeel.results.blame import blame_result  # start time
        from imagepeel.rootfs.provenance import history_of  # start time

        rootfs = self.view(view)
        self._require_life(history_of(rootfs, _absolute(path), follow=follow), text(path), view)
        return blame_result(self, rootfs, _absolute(path), follow=follow, receipts=receipts)

    def log(
        self,
        path: Name | None = None,
        *,
        layer: int | None = None,
        patch: bool = False,
        view: str = "runtime",
        follow: bool = True,
        receipts: bool = False,
    ) -> LogResult:
        """Tell every version of a path that the archive ships, or what one layer does to all paths.

        Arguments: without `path`, a `layer` (index from 0) is needed, with both the versions of the path in that layer;
        `patch` adds the lines of a unified diff of each text, secrets masked; `follow` and `receipts` as in `blame`.
        Versions come base layer first, paths of a layer depth first with names sorted by bytes.  PathNotFound when no
        layer has the path, UsageError for an unknown view or layer, for a layer of a view that keeps no trees
        of them, and without `path` and `layer`.  Source: the layers
        as the view merges them; the form of a patch is that of git-diff(1).
        """
        from imagepeel.results.log import layer_log, log_result  # start time
        from imagepeel.rootfs.provenance import history_of  # start time

        if layer is not None and not 0 <= layer < len(self.layers):
            raise UsageError(
                f"there is no layer with index {layer}", hint=f"the image has {plural(len(self.layers), 'layer')}"
            )
        if layer is not None:
            self.layers[layer].require()
        rootfs = self.view(view)
        if path is None:
            if layer is None:
                raise UsageError("name a path, a layer or both", hint="log image.tar /etc/passwd")
            return layer_log(self, rootfs, layer, patches=patch, receipts=receipts)
        self._require_life(history_of(rootfs, _absolute(path), follow=follow), text(path), view)
        return log_result(self, rootfs, _absolute(path), layer=layer, follow=follow, patches=patch, receipts=receipts)

    def views(self, names: Sequence[str] | None = None) -> ViewsResult:
        """Say where engines disagree about the filesystem of this image, path by path, and why.

        Arguments: `names` of the views to compare; by default all.  Differences are sorted by path; a view whose
        engines refuse the image is listed with the reason instead.  UsageError for an unknown view.
        """
        self.require_headers("views")
        from imagepeel.findings.semantics.compare import compare  # start time
        from imagepeel.results.head import image_head  # start time
        from imagepeel.results.views import views_result  # start time
        from imagepeel.rootfs.engines.names import VIEWS  # start time

        return views_result(image_head(self), compare(self, VIEWS if names is None else tuple(names)))

    def diff(
        self,
        other: Image,
        path: Name = "/",
        *,
        view: str = "runtime",
        texts: bool = False,
        strict: bool = False,
        quick: bool = False,
    ) -> DiffResult:
        """Say what differs between this image and another one: layers, config, the process, paths and their fields.

        Arguments: `path` limits it to a path and what is below, without layers, config and process; `view` is the
        filesystem of both; `texts` adds how small text files differ; `strict` compares modification times too; `quick`
        believes equal size and CRC-32 instead of SHA-256.  Paths come depth first, names sorted by bytes.
        PathNotFound when neither image has `path`, UsageError for an unknown view.
        """
        for one in (self, other):
            one.require_headers("the sums of diff")
        from imagepeel.results.diff import diff_result  # start time

        for image in (self, other):
            image.scan(digests=not quick)
        return diff_result(
            self, other, self.view(view), other.view(view), _absolute(path),
            layers=(), texts=texts, strict=strict, quick=quick,
        )  # fmt: skip

    def dockerfile(self, *, show_secrets: bool = False) -> RebuiltDockerfile:
        """Return the recipe of this image as far as its history tells it; `str()` of it is the text.

        Instructions come in build order, each with its layer, its bytes and how sure it is (exact, likely, unknown).
        Values that are secret by their name or form are masked without `show_secrets`.
        """
        self.require_headers("the sizes of steps")
        from imagepeel.results.dockerfile import dockerfile_result  # start time

        self.scan()
        return dockerfile_result(self, show_secrets=show_secrets)

    # ---- out of the archive ---------------------------------------------------------------------------------

    def extract(
        self,
        directory: str | os.PathLike[str],
        path: Name = "/",
        *,
        view: str = "runtime",
        preserve: bool = False,
        best_effort: bool = False,
        check_case: bool = False,
        escaping_links: bool = True,
    ) -> ExtractReport:
        """Write the filesystem into a directory, which must be absent or empty; nothing outside of it is touched.

        Arguments: `path` is the directory of the image whose content is written; `preserve` keeps owners, devices,
        set-uid bits and extended attributes, which needs root and an image that you trust; `best_effort` writes also
        what a runtime refuses to unpack, or what lacks a layer; `check_case` refuses names that differ only in case,
        also where the disk tells them apart; without `escaping_links`, symbolic links that lead out of the directory
        are left out. Returns counts, bytes, what was left out, and those links. UsageError for a directory that is
        not empty or an unknown view, Malformed and MissingBlob without `best_effort`, LimitExceeded past
        `Limits.disk_bytes`, OSError from the disk.
        """
        from imagepeel.export.extract import materialize  # start time

        rootfs = self.view(view)
        return materialize(
            rootfs,
            directory,
            preserve=preserve,
            best_effort=best_effort,
            check_case=check_case,
            escaping_links=escaping_links,
            top=_absolute(path),
        )

    def flatten(
        self,
        file: str | os.PathLike[str] | BinaryIO,
        *,
        view: str = "runtime",
        best_effort: bool = False,
        epoch: int | None = None,
    ) -> FlattenReport:
        """Write the filesystem as one tar without layers and whiteouts; the same image gives the same bytes.

        Arguments: `file` is a path, which appears only when it is whole, or a binary file that is open for writing;
        `best_effort` as in `extract`; `epoch` is the time, in seconds since 1970, of directories that no layer
        describes (default 0).  Entries are sorted by path.  Returns the number of entries, bytes and the SHA-256.
        Errors as in `extract`.
        """
        from imagepeel.export.flatten import flatten, flatten_to  # start time

        rootfs = self.view(view)
        if isinstance(file, str | os.PathLike):
            return flatten_to(rootfs, file, best_effort=best_effort, epoch=epoch)
        return flatten(rootfs, file, best_effort=best_effort, epoch=epoch)

    def read_ahead(self) -> None:
        """Read what the next run will probably want while the first pass makes reading cheap.

        The files that decide about the process, and small files below /etc.  Only when much was scanned that the
        index cache keeps; nothing is raised.
        """
        cache = self._pool.cache
        if cache is None or not self._pool.reads_ahead(self._read_anew):
            return
        self._read_anew = 0
        cache.budget.paused = False
        try:
            self.process()
            rootfs = self.rootfs
            if rootfs.resolve("/etc").node is None:
                return
            small = [node for _, node in rootfs.walk("/etc") if node.is_file and 0 < node.size <= _SMALL]
            small.sort(key=lambda node: (node.layer or 0, node.entry or 0))
            for node in small[:_FEW]:
                rootfs.read(node)
        except Exception:
            # The result of this run is out already: what goes wrong here is found out by the run that asks for it.
            return


def _absolute(path: Name) -> bytes:
    return b"/" + raw(path).lstrip(b"/")


def _words(given: Sequence[str] | None) -> Any:
    """Return options as `ProcessOptions` takes them: one word stands for a list of one."""
    return given if given is None or isinstance(given, str) else tuple(given)
