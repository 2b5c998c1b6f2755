#!/usr/bin/env bash
# Everything that a release needs, and nothing that cannot be taken back:
#   .ci/release.sh FOLDER
# Builds the sdist of the commit that is checked out and the wheel of the sdist, looks at what is in them, builds both a
# second time and compares, and installs the wheel into a clean environment, where it explains an image.  FOLDER has the
# two files and SHA256SUMS afterwards; what is left to do by hand is printed.
set -euo pipefail
folder=$(realpath -m "$1")
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
fail() {
  echo "release: $*" >&2
  exit 1
}

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/imagepeel/_version.py)
[ -n "$version" ] || fail "src/imagepeel/_version.py states no version"
grep -q "^## $version\b" CHANGELOG.md || fail "CHANGELOG.md has no section for $version"
[ -z "$(git status --porcelain)" ] || fail "commit or remove what git status shows"
[ ! -e "$folder" ] || fail "$folder exists"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
"$python" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install -q build twine
for round in first second; do
  mkdir "$work/$round"
  git archive HEAD | tar -x -C "$work/$round"
  "$work/tools/bin/python" -m build -q --outdir "$work/$round/dist" "$work/$round" >"$work/$round.log" 2>&1 ||
    fail "it does not build: $(tail -n 5 "$work/$round.log")"
done
cmp <(cd "$work/first/dist" && sha256sum -- *) <(cd "$work/second/dist" && sha256sum -- *) ||
  fail "two builds of one commit differ"
dist=$work/first/dist
"$work/tools/bin/python" -m twine check --strict "$dist"/* || fail "the index would refuse the description"

# The sdist is the commit: what is not in it cannot be tested by who builds from it.
git ls-files | grep -v '^\.git' | sort >"$work/tracked"
tar -tzf "$dist"/*.tar.gz | sed 's/[^/]*\///' | grep -v -e '^PKG-INFO$' -e '/$' -e '^\.git' | sort >"$work/packed"
diff "$work/tracked" "$work/packed" || fail "the sdist and the commit do not have the same files"
# The wheel is the package with its data, the licence and the page of the manual.
find src/imagepeel -type f ! -name '*.pyc' | sed 's/^src\///' | sort >"$work/package"
"$work/tools/bin/python" -m zipfile -l "$dist"/*.whl | awk 'NR > 1 { print $1 }' | grep '^imagepeel/' | sort >"$work/wheel"
diff "$work/package" "$work/wheel" || fail "the wheel and src/imagepeel do not have the same files"

"$python" -m venv "$work/clean"
"$work/clean/bin/python" -m pip install -q "$dist"/*.whl
(
  cd "$work"
  unset PYTHONPATH
  [ "$(clean/bin/imagepeel --version)" = "imagepeel $version" ]
  clean/bin/imagepeel forge hello hello.tar >/dev/null
  clean/bin/imagepeel process --exit-code hello.tar >/dev/null
  clean/bin/imagepeel explain --html hello.html hello.tar
  [ -s hello.html ] && [ -s clean/share/man/man1/imagepeel.1 ]
) || fail "the wheel does not work in a clean environment"

mkdir -p "$folder"
cp "$dist"/* "$folder"
(cd "$folder" && sha256sum -- *.whl *.tar.gz >SHA256SUMS && cat SHA256SUMS)
cat <<EOF
imagepeel $version is built from $(git rev-parse --short HEAD) and checked.  To publish it:
  git tag -s v$version && git push origin v$version
  python -m twine upload $folder/*.whl $folder/*.tar.gz
EOF
