#!/usr/bin/env bash
# A part of the tests under the Python of other Debian releases, with Debian's packages alone: what a machine with older
# libraries, without zlib-ng and without judges such as skopeo does.  As root, with mmdebstrap:
#   .ci/pythons.sh FOLDER [RELEASE...]
# It ends with 75 where a tree cannot be made, with the status of the tests otherwise.  Trees of FOLDER that are there are used again; the others are made, some 300 MB each.  Without RELEASE: trixie
# (Python 3.13) and sid (3.14).  TESTS and MMDEBSTRAP_OPTIONS (such as an --aptopt) may be set.
set -euo pipefail
folder=$(realpath -m "$1")
shift
[ $# -gt 0 ] || set -- trixie sid
cd "$(dirname "$0")/.."
packages=python3-pytest,python3-pytest-xdist,python3-hypothesis,python3-jsonschema,python3-fsspec,python3-yaml
packages+=,python3-junitparser,python3-msgspec,python3-click
packages+=,python3-pyelftools,python3-rich,python3-jinja2,python3-magic,python3-zstandard
packages+=,binutils,bsdextrautils,bzip2,jq,openssl,xxd,xz-utils,zstd # what receipts are made of
tests=${TESTS:-tests/unit tests/property tests/conformance tests/golden tests/hostile/test_extract.py tests/world}
status=0
for release; do
  root=$folder/$release
  if [ ! -e "$root/usr/bin/python3" ]; then
    mkdir -p "$folder"
    # A mirror that is some weeks behind serves as well; what it signed is checked.
    # shellcheck disable=SC2086
    mmdebstrap ${MMDEBSTRAP_OPTIONS:-} --aptopt='Acquire::Check-Valid-Until "false"' --mode=root --variant=apt --dpkgopt=force-unsafe-io \
      --include="$packages" "$release" "$root" || exit 75
  fi
  rm -rf "$root/imagepeel"
  mkdir "$root/imagepeel"
  tar --exclude=./.git --exclude=./.venv --exclude=./.venv-lowest --exclude=./demo --exclude=__pycache__ -c . |
    tar -x -C "$root/imagepeel"
  echo "== $release: $(chroot "$root" python3 --version)"
  # shellcheck disable=SC2016,SC2086
  unshare --mount --fork sh -c 'mount -t proc proc "$0/proc" &&
    mount -t devpts devpts "$0/dev/pts" -o newinstance,ptmxmode=666 && mount --bind "$0/dev/pts/ptmx" "$0/dev/ptmx" &&
    exec chroot "$0" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONPATH=/imagepeel/src \
      sh -c "cd /imagepeel && exec python3 -m pytest \"\$@\"" sh "$@"' \
    "$root" -q -n auto --dist loadfile -p no:cacheprovider --continue-on-collection-errors $tests || status=$?
done
exit $status
