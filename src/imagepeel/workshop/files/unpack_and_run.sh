# Level 2: unpacked with tar, started three times.
set -e
rm -rf box bundle
mkdir box
tar -xOf tell.tar "$(tar -tf tell.tar | grep layer.tar)" | tar -x -C box
./box/bin/tell one two > plain.txt
walls() {
  env -i PATH=/bin GREETING=hello "$(command -v unshare)" -r -p -f -R box /bin/tell one two
}
if [ "$(id -u)" = 0 ] && command -v runc > /dev/null; then
  imagepeel bundle tell.tar bundle --rootfs
  runc run --bundle bundle "imagepeel-$$" > pid1.txt
else
  walls > pid1.txt
fi
walls > second.txt
echo precious > box/note
rm -r box
mkdir box
tar -xOf tell.tar "$(tar -tf tell.tar | grep layer.tar)" | tar -x -C box
ls box > again.txt
